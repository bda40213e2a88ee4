package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// A Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolveTimeout bounds one resolution.
const resolveTimeout = 2 * time.Second

// follow keeps the membership equal to what the address tells.
func (p *Pool) follow(ctx context.Context) {
	switch a := p.options.Address; {
	case a.dns != nil:
		p.followDNS(ctx, *a.dns)
	case a.file != "":
		p.followFile(ctx, a.file)
	}
}

// followDNS resolves again and again. A resolution that fails or finds nothing
// changes nothing: DNS being away is no reason to leave replicas that answer,
// and their own health tells when they do not.
func (p *Pool) followDNS(ctx context.Context, name dnsName) {
	var last []Member
	for {
		members, err := p.resolve(ctx, name)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			p.sourceFailed(fmt.Errorf("resolve %s: %w", name.host, err))
		case p.sourceBroken() || !slices.Equal(members, last):
			p.become(members, nil)
			last = members
		}
		if retry.Sleep(ctx, p.options.Intervals.ResolveInterval) != nil {
			return
		}
	}
}

func (p *Pool) resolve(ctx context.Context, name dnsName) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := p.options.Resolver.LookupNetIP(ctx, "ip", name.host)
	if err != nil {
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if len(addrs) == 0 || len(addrs) > MaxMembers {
		return nil, fmt.Errorf("%d addresses, want 1 to %d", len(addrs), MaxMembers)
	}
	members := make([]Member, len(addrs))
	for i, a := range addrs {
		data := net.JoinHostPort(a.String(), name.port)
		members[i] = Member{Name: data, Data: data}
		if name.admin != "" {
			members[i].Admin = net.JoinHostPort(a.String(), name.admin)
		}
	}
	return members, nil
}

// followFile takes each new content that is right. A file that is missing,
// empty or garbage changes nothing.
func (p *Pool) followFile(ctx context.Context, path string) {
	if _, err := os.Stat(path); err != nil {
		p.sourceFailed(fmt.Errorf("read endpoint file: %w", err))
	}
	watch.File(ctx, path, nil, func(content []byte) {
		members, err := ParseFile(content)
		if err != nil {
			p.sourceFailed(fmt.Errorf("read endpoint file %s: %w", path, err))
			return
		}
		p.become(members, nil)
	})
}

// sourceFailed counts, and logs when the reason is a new one.
func (p *Pool) sourceFailed(err error) {
	p.unresolved.Add(1)
	p.mu.Lock()
	known := p.sourceErr != nil && p.sourceErr.Error() == err.Error()
	p.mu.Unlock()
	if known || errors.Is(err, context.Canceled) {
		return
	}
	p.log.Warn("endpoint list not taken, keeping the old one", "error", err.Error())
	p.become(nil, err)
}

// sourceBroken tells whether the last list was not taken.
func (p *Pool) sourceBroken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sourceErr != nil
}

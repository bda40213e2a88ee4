package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A peer is a member of a cluster whose members are processes of their own: its name, and
// where the others find it.
type peer struct{ name, addr string }

// maxPeers is as large as a cluster should be: more members make writes slower, and who
// needs to lose four of nine at a time needs something else.
const maxPeers = 7

// parsePeers reads ETCD_PEERS: name=host:port, comma-separated.
func parsePeers(text string) ([]peer, error) {
	var peers []peer
	seen := map[string]bool{}
	for one := range strings.SplitSeq(text, ",") {
		name, addr, found := strings.Cut(strings.TrimSpace(one), "=")
		host, port, err := net.SplitHostPort(addr)
		if !found || name == "" || err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%q is not valid: want name=host:port", one)
		}
		if seen[name] || seen[addr] {
			return nil, fmt.Errorf("%q: its name or address occurs twice", one)
		}
		seen[name], seen[addr] = true, true
		peers = append(peers, peer{name, addr})
	}
	if len(peers) > maxPeers {
		return nil, fmt.Errorf("%d members are too many: want at most %d", len(peers), maxPeers)
	}
	return peers, nil
}

// peers are the members in processes of their own; none when they are all in this one.
func (c Config) peers() ([]peer, error) {
	if c.Peers == "" {
		return nil, nil
	}
	return parsePeers(c.Peers)
}

// own finds the number of the member that this process is, from 1 on.
func own(peers []peer, instance string) (int, error) {
	var names []string
	for i, p := range peers {
		if p.name == instance {
			return i + 1, nil
		}
		names = append(names, p.name)
	}
	return 0, fmt.Errorf("none of them is this one, INSTANCE=%s: they are %s", instance, strings.Join(names, ", "))
}

// validatePeers finds what is wrong with the cluster that this process is to be a part of.
func (c Config) validatePeers() error {
	peers, err := c.peers()
	if err != nil || len(peers) == 0 {
		return err
	}
	number, err := own(peers, c.Instance)
	if err != nil {
		return err
	}
	if c.Members != 1 {
		return errors.New("goes with ETCD_MEMBERS=1 only: the others are processes of their own")
	}
	if c.DataDir == "" {
		// It has promised the others to keep what it has agreed to: they refuse who comes
		// back with nothing.
		return errors.New("needs ETCD_DATA_DIR: a member that forgets cannot come back")
	}
	host, _, _ := net.SplitHostPort(peers[number-1].addr)
	if addr, err := netip.ParseAddr(host); bool(c.Protected) && (err != nil || !addr.IsLoopback()) {
		return fmt.Errorf("%s is not an address of loopback: nothing else is protected; see ETCD_PROTECTED", host)
	}
	return nil
}

// places are the members of a cluster, and which of them run in this process.
type places struct {
	names []string
	urls  []url.URL
	own   []int // numbers from 1 on
}

func newPlaces(cfg Config) (places, error) {
	var p places
	peers, err := cfg.peers()
	if err != nil {
		return p, err
	}
	for _, one := range peers {
		p.names, p.urls = append(p.names, one.name), append(p.urls, url.URL{Scheme: "http", Host: one.addr})
	}
	if len(peers) > 0 {
		number, err := own(peers, cfg.Instance)
		p.own = []int{number}
		return p, err
	}
	p.urls, err = freeURLs(cfg.Members)
	for n := range cfg.Members {
		p.names, p.own = append(p.names, fmt.Sprintf("member-%d", n+1)), append(p.own, n+1)
	}
	return p, err
}

// initial is the cluster as etcd reads it when it begins with nothing.
func (p places) initial() string {
	var all []string
	for i, name := range p.names {
		all = append(all, name+"="+p.urls[i].String())
	}
	return strings.Join(all, ",")
}

// freeURLs are where members of one process find each other: free ports of loopback. One
// that was free may be taken before it is used, which is an ordinary error then.
func freeURLs(n int) ([]url.URL, error) {
	var urls []url.URL
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port for members: %w", err)
		}
		defer ln.Close() // all of them at the end, so that no port comes twice
		urls = append(urls, url.URL{Scheme: "http", Host: ln.Addr().String()})
	}
	return urls, nil
}

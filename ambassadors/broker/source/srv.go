package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Resolver looks SRV records up; *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// SRV is a name whose SRV records (RFC 2782) list the service.
type SRV struct {
	Record   string // as in _mysql._tcp.db.example
	Resolver Resolver
	Every    time.Duration // between look-ups
	Timeout  time.Duration // of one
}

// Name is "srv".
func (SRV) Name() string { return "srv" }

// Run resolves again and again. The order of equal records is drawn anew, as the
// RFC wants it, only when the records have changed: a database is not moved from
// for nothing.
func (s SRV) Run(ctx context.Context, report func(Report)) {
	m := &memory{report: report}
	var known []net.SRV
	every(ctx, s.Every, func() {
		records, err := s.lookUp(ctx)
		if ctx.Err() != nil {
			return
		}
		var dns *net.DNSError
		switch {
		case errors.As(err, &dns) && dns.IsNotFound:
			m.gone("the name has no SRV records")
			return
		case err != nil:
			m.failed(err.Error())
			return
		}
		if m.last.State == Found && sameRecords(records, known) {
			return
		}
		candidates, err := srvCandidates(records)
		if err != nil {
			m.failed(err.Error())
			return
		}
		known = records
		m.found(candidates)
	})
}

func (s SRV) lookUp(ctx context.Context) ([]net.SRV, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	_, found, err := s.Resolver.LookupSRV(ctx, "", "", s.Record)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	records := make([]net.SRV, 0, len(found))
	for _, r := range found {
		records = append(records, *r)
	}
	return records, nil
}

// srvCandidates makes a list of records in their order.
func srvCandidates(records []net.SRV) ([]Candidate, error) {
	if len(records) == 1 && records[0].Target == "." {
		return nil, errors.New("the record says that the service is not offered there")
	}
	lines := make([]string, 0, len(records))
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		lines = append(lines, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
	}
	candidates, err := parse(strings.Join(lines, "\n"))
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	return candidates, nil
}

func sameRecords(a, b []net.SRV) bool {
	order := func(x, y net.SRV) int {
		return cmp.Or(cmp.Compare(x.Target, y.Target), cmp.Compare(x.Port, y.Port), cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Weight, y.Weight))
	}
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

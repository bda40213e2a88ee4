package upstream

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what a nameServer answers: addresses, or a failure.
type zone struct {
	addrs []string
	code  dnsmessage.RCode
}

// nameServer is a DNS server on a real socket that answers every question from
// its present zone.
type nameServer struct {
	conn    net.PacketConn
	zone    atomic.Pointer[zone]
	answers chan struct{} // gets a value per A answer while somebody reads
}

func newNameServer(t *testing.T, z zone) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, answers: make(chan struct{})}
	s.zone.Store(&z)
	done := make(chan struct{})
	go func() { defer close(done); s.serve() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return s
}

func (s *nameServer) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil || len(m.Questions) == 0 {
			continue
		}
		z, q := s.zone.Load(), m.Questions[0]
		m.Response, m.RCode, m.Additionals = true, z.code, nil
		for _, text := range z.addrs {
			a := netip.MustParseAddr(text)
			header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
		if packed, err := m.Pack(); err == nil {
			_, _ = s.conn.WriteTo(packed, from)
		}
		if q.Type == dnsmessage.TypeA {
			select {
			case s.answers <- struct{}{}:
			default:
			}
		}
	}
}

func (s *nameServer) resolver() Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func dnsPool(t *testing.T, s *nameServer, address string) *Pool {
	t.Helper()
	return start(t, newPool(t, Options{Address: mustParse(t, address), Intervals: fast, Resolver: s.resolver()}))
}

func TestDNSGivesAllAddressesAndFollowsThem(t *testing.T) {
	s := newNameServer(t, zone{addrs: []string{"127.0.0.3", "127.0.0.2", "::1", "127.0.0.2"}})
	p := dnsPool(t, s, "dns:dictionary.test.:80")
	await(t, p, "three addresses", members("127.0.0.2:80 127.0.0.3:80 [::1]:80"))
	s.zone.Store(&zone{addrs: []string{"127.0.0.3", "127.0.0.4"}})
	await(t, p, "one gone, one come", members("127.0.0.3:80 127.0.0.4:80"))
}

func TestDNSAddressesAreChecked(t *testing.T) {
	r := newReplica(t, "", ready)
	_, port, _ := net.SplitHostPort(r.addr)
	s := newNameServer(t, zone{addrs: []string{"127.0.0.1"}})
	p := dnsPool(t, s, "dns:dictionary.test.:80/"+port)
	await(t, p, "up", state(0, Up))
	if e := mustPick(t, p, "", nil); e.Addr() != "127.0.0.1:80" || e.AdminAddr() != r.addr {
		t.Errorf("%s, %s", e.Addr(), e.AdminAddr())
	}
}

func TestDNSFailuresChangeNothing(t *testing.T) {
	good := zone{addrs: []string{"127.0.0.2", "127.0.0.3"}}
	s := newNameServer(t, good)
	p := dnsPool(t, s, "dns:dictionary.test.:80")
	for name, bad := range map[string]zone{
		"server failure": {code: dnsmessage.RCodeServerFailure},
		"no such name":   {code: dnsmessage.RCodeNameError},
		"no addresses":   {},
	} {
		await(t, p, "two members", members("127.0.0.2:80 127.0.0.3:80"))
		s.zone.Store(&bad)
		await(t, p, name, problem("resolve dictionary.test."))
		for range 3 {
			<-s.answers
		}
		if got := p.Snapshot(); got.Usable != 2 {
			t.Errorf("%s: %+v", name, got)
		}
		s.zone.Store(&good)
	}
	await(t, p, "recovery", members("127.0.0.2:80 127.0.0.3:80"))
	s.conn.Close() // the name server is gone for good
	await(t, p, "the problem", problem("resolve dictionary.test."))
	mustPick(t, p, "", nil)
}

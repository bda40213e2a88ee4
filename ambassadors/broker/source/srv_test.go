package source

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers SRV queries over UDP as it is told.
type nameServer struct {
	mu      sync.Mutex // guards all below
	records []dnsmessage.SRVResource
	code    dnsmessage.RCode
	silent  bool
	asked   int
}

func (s *nameServer) set(code dnsmessage.RCode, silent bool, records ...dnsmessage.SRVResource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.silent, s.records = code, silent, records
}

func (s *nameServer) start(t *testing.T) (addr string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := s.answer(buffer[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func (s *nameServer) answer(query []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	var m dnsmessage.Message
	if m.Unpack(query) != nil || s.silent {
		return nil
	}
	m.Response, m.RCode, m.Additionals = true, s.code, nil
	for _, r := range s.records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1}, Body: &r,
		})
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

func record(host string, port, priority, weight uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: priority, Weight: weight, Port: port, Target: dnsmessage.MustNewName(host + ".")}
}

func srv(addr string) SRV {
	r := &net.Resolver{PreferGo: true, Dial: dialTo(addr)}
	return SRV{Record: "_mysql._tcp.db.example.", Resolver: r, Every: 20 * time.Millisecond, Timeout: 300 * time.Millisecond}
}

func TestRecordsAreFollowedInTheirOrder(t *testing.T) {
	t.Parallel()
	s := &nameServer{}
	s.set(0, false, record("b.example", 2, 20, 0), record("a.example", 1, 10, 0))
	ch := reports(t, srv(s.start(t)))
	await(t, ch, Found, "a.example:1", "b.example:2")
	s.set(0, false, record("c.example", 3, 5, 0))
	await(t, ch, Found, "c.example:3")
	s.set(dnsmessage.RCodeNameError, false)
	await(t, ch, Gone, "c.example:3")
	s.set(0, false, record("a.example", 1, 1, 0))
	await(t, ch, Found, "a.example:1")
	s.set(0, true) // the server is away
	await(t, ch, Failed, "a.example:1")
	s.set(dnsmessage.RCodeServerFailure, false)
	s.set(0, false, record("a.example", 1, 1, 0))
	await(t, ch, Found, "a.example:1")
	s.set(0, false, dnsmessage.SRVResource{Target: dnsmessage.MustNewName(".")})
	await(t, ch, Failed, "a.example:1")
}

// Records of one priority come in an order that is drawn for each answer. A
// database is not moved from for that.
func TestTheOrderStaysWhileTheRecordsDo(t *testing.T) {
	t.Parallel()
	s := &nameServer{}
	var records []dnsmessage.SRVResource
	for i := range uint16(8) {
		records = append(records, record("h.example", 1+i, 1, 10))
	}
	s.set(0, false, records...)
	ch := reports(t, srv(s.start(t)))
	first := <-ch
	deadline := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		asked := s.asked
		s.mu.Unlock()
		select {
		case r := <-ch:
			t.Fatalf("%v became %v", addressesOf(first), addressesOf(r))
		case <-deadline:
			t.Fatal("it was not asked again and again")
		default:
		}
		if asked > 20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	sorted := slices.Sorted(slices.Values(addressesOf(first)))
	if len(sorted) != 8 {
		t.Errorf("%v", sorted)
	}
}

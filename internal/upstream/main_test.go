package upstream

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is the one deadline of a test that waits for something to happen.
const patience = 20 * time.Second

func mustParse(t testing.TB, s string) Address {
	t.Helper()
	a, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newPool(t testing.TB, o Options) *Pool {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// static returns a pool of passive endpoints.
func static(t testing.TB, o Options, addrs ...string) *Pool {
	t.Helper()
	o.Address = mustParse(t, strings.Join(addrs, ","))
	return newPool(t, o)
}

// start runs the pool until the test ends.
func start(t testing.TB, p *Pool) *Pool {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return p
}

// await returns when the snapshot fulfils the condition.
func await(t testing.TB, p *Pool, what string, condition func(Snapshot) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		v := p.view.Load()
		s := p.Snapshot()
		if condition(s) {
			return
		}
		select {
		case <-v.changed:
		case <-deadline:
			t.Fatalf("waited for: %s; it is %+v", what, s)
		}
	}
}

// state is a condition of await: the endpoint i is in a state.
func state(i int, want State) func(Snapshot) bool {
	return func(s Snapshot) bool { return len(s.Endpoints) > i && s.Endpoints[i].State == want.String() }
}

// names returns the endpoints' names.
func names(s Snapshot) string {
	var all []string
	for _, e := range s.Endpoints {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

func mustPick(t testing.TB, p *Pool, key string, tried *Tried) *Endpoint {
	t.Helper()
	e, err := p.Pick(key, tried)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fast are intervals for tests with real sockets.
var fast = Intervals{CheckInterval: 5 * time.Millisecond, ResolveInterval: 5 * time.Millisecond}

// replica is an administration server that fails on demand.
type replica struct {
	addr    string
	server  *http.Server
	answer  atomic.Pointer[http.HandlerFunc]
	checked chan struct{} // gets a value per check while somebody reads
}

func ready(w http.ResponseWriter, _ *http.Request)    { w.WriteHeader(http.StatusOK) }
func notReady(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// newReplica listens on addr ("" for a free port).
func newReplica(t testing.TB, addr string, answer http.HandlerFunc) *replica {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{addr: listener.Addr().String(), checked: make(chan struct{})}
	r.set(answer)
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		(*r.answer.Load())(w, q)
		select {
		case r.checked <- struct{}{}:
		default:
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = r.server.Serve(listener) }()
	t.Cleanup(func() { r.server.Close(); <-done })
	return r
}

func (r *replica) set(answer http.HandlerFunc) { r.answer.Store(&answer) }

// address is the replica as a member: its only port is data and admin port.
func (r *replica) address() string {
	_, port, _ := net.SplitHostPort(r.addr)
	return r.addr + "/" + port
}

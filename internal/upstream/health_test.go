package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// checkedPool runs a pool whose endpoints are checked fast.
func checkedPool(t testing.TB, h Health, addrs ...string) *Pool {
	t.Helper()
	h.CheckTimeout = time.Second
	return start(t, newPool(t, Options{
		Address: mustParse(t, strings.Join(addrs, ",")), Intervals: fast, Health: h,
	}))
}

// raw returns the address of a replica that speaks no good HTTP.
func raw(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	addr := nettest.Serve(t, serve)
	return addr + "/" + addr[strings.LastIndex(addr, ":")+1:]
}

func TestBrokenReplicasAreNotUsed(t *testing.T) {
	dead := nettest.Refuse(t)
	_, deadPort, _ := net.SplitHostPort(dead)

	redirect := newReplica(t, "", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	failing := newReplica(t, "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	for name, test := range map[string]struct {
		addr, reason string
		cause        Cause
	}{
		"dead": {dead + "/" + deadPort, "refused", Unanswered},
		"reset": {raw(t, func(c net.Conn) {
			nettest.ReadHead(c)
			_ = c.(*net.TCPConn).SetLinger(0)
		}), "reset", Unanswered},
		"half-closed": {raw(t, func(c net.Conn) {
			nettest.ReadHead(c)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}), "EOF", Unanswered},
		"garbage": {raw(t, func(c net.Conn) {
			nettest.ReadHead(c)
			_, _ = c.Write([]byte("\x00\xffnot http at all\r\n\r\n"))
		}), "malformed", Unanswered},
		"redirect": {redirect.address(), "status 302", Failing},
		"failing":  {failing.address(), "status 500", Failing},
	} {
		t.Run(name, func(t *testing.T) {
			p := checkedPool(t, Health{CheckDown: 2}, test.addr)
			await(t, p, "down", state(0, Down))
			if _, err := p.Pick("", nil); !errors.Is(err, ErrNoUpstream) || !strings.Contains(err.Error(), "1 down") {
				t.Errorf("pick: %v", err)
			}
			if got := p.Snapshot().Endpoints[0].LastError; !strings.Contains(got, test.reason) {
				t.Errorf("reason %q does not say %q", got, test.reason)
			}
			if state, cause := p.members[0].Health(); state != Down || cause != test.cause {
				t.Errorf("%s because of %s, want down because of %s", state, cause, test.cause)
			}
		})
	}
}

func TestSlowReplicaIsNotUsed(t *testing.T) {
	release := make(chan struct{})
	slow := newReplica(t, "", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	p := start(t, newPool(t, Options{
		Address: mustParse(t, slow.address()), Intervals: fast, Health: Health{CheckTimeout: 20 * time.Millisecond, CheckDown: 2},
	}))
	await(t, p, "down", state(0, Down))
	if got := p.Snapshot().Endpoints[0].LastError; !strings.Contains(got, "deadline exceeded") {
		t.Errorf("reason: %s", got)
	}
	if _, cause := p.members[0].Health(); cause != Unanswered {
		t.Errorf("cause: %s", cause)
	}
}

func TestUnknownReplicaGetsNothingBeforeItsFirstGoodCheck(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	r := newReplica(t, "", func(w http.ResponseWriter, q *http.Request) {
		entered <- struct{}{}
		<-release
	})
	p := checkedPool(t, Health{CheckUp: 5, CheckDown: 5}, r.address())
	<-entered
	if _, err := p.Pick("", nil); !errors.Is(err, ErrNoUpstream) {
		t.Errorf("an unchecked endpoint was picked, or: %v", err)
	}
	r.set(ready)
	close(release)
	await(t, p, "up after one check, whatever CHECK_UP", state(0, Up))
	mustPick(t, p, "", nil).Done(OK, 0)
}

func TestReplicaThatSaysItIsNotReadyIsBelievedAtOnce(t *testing.T) {
	draining, other := newReplica(t, "", ready), newReplica(t, "", ready)
	p := checkedPool(t, Health{CheckDown: 1000}, draining.address(), other.address())
	await(t, p, "both up", func(s Snapshot) bool { return s.Usable == 2 })
	draining.set(notReady)
	await(t, p, "down", state(0, Down))
	for range 10 {
		if e := mustPick(t, p, "", nil); e.Addr() != other.addr {
			t.Fatalf("%s was picked", e.Addr())
		}
	}
}

func TestKilledReplicaComesBackUnderItsName(t *testing.T) {
	first := newReplica(t, "", ready)
	p := checkedPool(t, Health{CheckUp: 2, CheckDown: 2, EjectAfter: 1, EjectBase: time.Hour, EjectMax: time.Hour}, first.address())
	await(t, p, "up", state(0, Up))
	mustPick(t, p, "", nil).Done(ConnectError, 0) // an ejection dies with the process that caused it
	first.server.Close()
	await(t, p, "down", state(0, Down))
	newReplica(t, first.addr, ready)
	await(t, p, "up again", func(s Snapshot) bool {
		return s.Usable == 1 && s.Endpoints[0].EjectedUntil == nil && !s.Panic
	})
}

// The arithmetic of the thresholds, without a network.
func TestCheckThresholds(t *testing.T) {
	lost := errors.New("connection refused")
	p := newPool(t, Options{
		Address: mustParse(t, "a:1/2"), Intervals: fast, Health: Health{CheckUp: 3, CheckDown: 2},
	})
	e := p.members[0]
	for i, step := range []struct {
		err  error
		want State
		is   Cause
	}{
		{lost, Unknown, Unanswered}, {nil, Up, NoCause}, // the first good one is enough
		{lost, Up, Unanswered}, {nil, Up, NoCause}, {lost, Up, Unanswered}, {lost, Down, Unanswered}, // two in a row
		{nil, Down, NoCause}, {nil, Down, NoCause}, {lost, Down, Unanswered}, // flapping is not enough
		{nil, Down, NoCause}, {nil, Down, NoCause}, {nil, Up, NoCause}, // three in a row
		{&answered{500}, Up, Failing}, {nil, Up, NoCause}, {&answered{503}, Down, NotReady},
		{lost, Down, Unanswered}, // it drained and then ended
	} {
		p.checked(e, step.err)
		state, cause := e.Health()
		if state != step.want || cause != step.is {
			t.Fatalf("after check %d (%v): %s because of %q, want %s because of %q", i, step.err, state, cause, step.want, step.is)
		}
	}
}

func TestFlappingReplicaStaysOut(t *testing.T) {
	r := newReplica(t, "", ready)
	p := checkedPool(t, Health{CheckUp: 2, CheckDown: 1}, r.address())
	await(t, p, "up", state(0, Up))
	turn := 0
	r.set(func(w http.ResponseWriter, q *http.Request) {
		if turn++; turn%2 == 1 { // one check at a time
			notReady(w, q)
		}
	})
	await(t, p, "down", state(0, Down))
	changes := p.Snapshot().Endpoints[0].Changes
	for range 10 {
		<-r.checked
	}
	if s := p.Snapshot().Endpoints[0]; s.State != "down" || s.Changes != changes {
		t.Errorf("a flapping endpoint is %s and changed %d times", s.State, s.Changes-changes)
	}
}

package target

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what checks see.
type world struct {
	mu     sync.Mutex
	broken map[string]error
	checks map[string]int
	moves  []string // addresses that became active
}

func (w *world) set(address string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[address] = err
}

func (w *world) check(_ context.Context, address string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks[address]++
	return w.broken[address]
}

func (w *world) count(address string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.checks[address]
}

func newWorld(t *testing.T) (*world, *Pool) {
	t.Helper()
	w := &world{broken: map[string]error{}, checks: map[string]int{}}
	p := New(Options{Interval: time.Second, Timeout: 500 * time.Millisecond, Up: 2, Down: 2, Check: w.check, Changed: func(t *Target) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if t == nil {
			w.moves = append(w.moves, "none")
			return
		}
		w.moves = append(w.moves, t.Address)
	}})
	t.Cleanup(p.Close)
	return w, p
}

func list(addresses ...string) (all []source.Candidate) {
	for _, a := range addresses {
		all = append(all, source.Candidate{Name: a, Address: a})
	}
	return all
}

func active(p *Pool) string {
	if t := p.Active(); t != nil {
		return t.Address
	}
	return "none"
}

// The schedule below is by the clock of the test: checks at 0 s, 1 s, 2 s, …
func TestTheFirstHealthyAddressIsActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		w.set("a", errors.New("broken"))
		p.Become(list("a", "b"))
		if got := active(p); got != "a" {
			t.Errorf("unchecked, %s is active, want a: it is tried at once", got)
		}
		time.Sleep(500 * time.Millisecond)
		if got := active(p); got != "a" {
			t.Errorf("after one failed check, %s is active", got)
		}
		time.Sleep(time.Second) // the second check of a, at 1 s
		if got := active(p); got != "b" {
			t.Errorf("after two failed checks, %s is active", got)
		}
		w.set("a", nil)
		time.Sleep(time.Second) // one good check, at 2 s
		if got := active(p); got != "b" {
			t.Errorf("after one good check, %s is active", got)
		}
		time.Sleep(time.Second) // another, at 3 s
		if got := active(p); got != "a" {
			t.Errorf("after two good checks, %s is active", got)
		}
		p.Close()
		if want := []string{"a", "b", "a"}; !slices.Equal(w.moves, want) {
			t.Errorf("moves were %v, want %v", w.moves, want)
		}
	})
}

func TestARefusedConnectionTakesOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		p.Become(list("a", "b"))
		time.Sleep(100 * time.Millisecond)
		p.Active().Bad(&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
		if got := active(p); got != "b" {
			t.Errorf("%s is active", got)
		}
		if v := p.View(); v[0].Health != Down || v[0].Reason != "the connection is refused" || v[1].Active != true {
			t.Errorf("%+v", v)
		}
		p.Close()
		_ = w
	})
}

func TestWithNoneLeftChecksAreFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		w.set("a", syscall.ECONNREFUSED)
		p.Become(list("a"))
		time.Sleep(10 * time.Millisecond)
		if got := active(p); got != "none" {
			t.Fatalf("%s is active", got)
		}
		before := w.count("a")
		time.Sleep(time.Second)
		if n := w.count("a") - before; n != 4 {
			t.Errorf("%d checks in a second, want 4", n)
		}
		w.set("a", nil)
		time.Sleep(500 * time.Millisecond)
		if got := active(p); got != "a" {
			t.Errorf("%s is active", got)
		}
		p.Close()
	})
}

func TestABusyTargetIsNotCheckedBesideItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		p.Become(list("a"))
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			p.Active().Good()
		}
		if n := w.count("a"); n != 1 {
			t.Errorf("%d checks, want the first one", n)
		}
		p.Close()
	})
}

func TestAddressesThatStayKeepWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		w.set("b", syscall.ECONNREFUSED)
		p.Become(list("b", "a"))
		time.Sleep(100 * time.Millisecond)
		p.Become(list("c", "b"))
		if v := p.View(); len(v) != 2 || v[0].Health != Unknown || v[1].Health != Down {
			t.Errorf("%+v", v)
		}
		gone := w.count("a")
		time.Sleep(5 * time.Second)
		if w.count("a") != gone {
			t.Error("an address that was taken from the list is still checked")
		}
		p.Close()
	})
}

func TestLinksOfAFormerTargetDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, a2, b := &Target{Address: "a"}, &Target{Address: "a"}, &Target{Address: "b"}
		l := &Links{Drain: 10 * time.Second}
		var cut atomic.Int32
		open := func(t *Target) *Link { return l.Open(t, func() { cut.Add(1) }) }
		l.Moved(a)
		finishes, lasts := open(a), open(a)
		l.Moved(nil) // no target at all: nobody is sent away
		l.Moved(b)
		late := open(a) // dialled before the move, opened after it
		stays := open(b)
		if n, draining, _ := l.Count(); n != 4 || draining != 3 {
			t.Errorf("%d open, %d drain", n, draining)
		}
		time.Sleep(9 * time.Second)
		l.Close(finishes)
		time.Sleep(2 * time.Second)
		if _, _, c := l.Count(); cut.Load() != 2 || c != (Counts{Finished: 1, Cut: 2}) {
			t.Errorf("%d were cut, counts %+v", cut.Load(), c)
		}
		l.Close(lasts)
		l.Close(late)
		back := open(b)
		l.Moved(a2)
		time.Sleep(5 * time.Second)
		l.Moved(b) // back in time: nothing is cut
		time.Sleep(20 * time.Second)
		if cut.Load() != 2 || l.Of("b") != 2 {
			t.Errorf("%d were cut, %d are left", cut.Load(), l.Of("b"))
		}
		l.Close(stays)
		l.Close(back)
	})
}

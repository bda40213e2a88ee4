package linear_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
)

func TestCallsBecomeOperations(t *testing.T) {
	rec := linear.NewRecorder(linear.Ledger)
	ok := rec.Begin(linear.Operation{Client: 1, Key: "k", Do: linear.Append, Entry: "x"})
	lost := rec.Begin(linear.Operation{Client: 2, Key: "k", Do: linear.Append, Entry: "y"})
	never := rec.Begin(linear.Operation{Client: 3, Key: "k", Do: linear.Append, Entry: "z"})
	running := rec.Begin(linear.Operation{Client: 4, Key: "k", Do: linear.Append, Entry: "w"})
	ok.Op.Version = 1
	ok.OK()
	lost.Op.Version = 7 // half an answer is none
	lost.Unknown()
	never.Void()
	h, err := rec.History()
	if err != nil {
		t.Fatal(err)
	}
	running.OK() // too late to be heard
	if len(h.Operations) != 3 || h.Count(linear.Append, linear.Unknown) != 2 || h.Count(linear.Append, linear.OK) != 1 {
		t.Fatalf("%+v", h.Operations)
	}
	for i, entry := range []string{"x", "y", "w"} {
		op := h.Operations[i]
		if op.Entry != entry || op.Outcome == linear.Unknown && (op.Version != 0 || op.Return != 0) {
			t.Errorf("%d: %+v", i, op)
		}
	}
	if first := h.Operations[0]; first.Version != 1 || first.Return <= h.Operations[2].Call {
		t.Errorf("%+v", first)
	}
}

func TestAnExpiryCountsFromTheCall(t *testing.T) {
	rec := linear.NewRecorder(linear.Mutex)
	c := rec.Begin(linear.Operation{Key: "k", Do: linear.Acquire})
	c.Op.Grant = "g" // known by the answer only
	c.OK()
	rec.Expires(c, time.Hour)
	h, err := rec.History()
	if err != nil || len(h.Operations) != 2 {
		t.Fatalf("%v, %v", h, err)
	}
	if late := h.Operations[1]; late.Do != linear.Expire || late.Grant != "g" || late.Call-h.Operations[0].Call != int64(time.Hour) {
		t.Errorf("%+v", late)
	}
}

func TestNoTwoStampsAreEqual(t *testing.T) {
	rec := linear.NewRecorder(linear.Fence)
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for range 100 {
				c := rec.Begin(linear.Operation{Client: client, Key: "k", Do: linear.Write, Token: 1})
				c.OK()
			}
		})
	}
	wg.Wait()
	h, err := rec.History()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for _, op := range h.Operations {
		if seen[op.Call] || seen[op.Return] {
			t.Fatalf("%+v", op)
		}
		seen[op.Call], seen[op.Return] = true, true
	}
	if err := (linear.Checker{Dir: t.TempDir()}).Check(h); err != nil {
		t.Error(err)
	}
}

// A lock of this process, and one that forgets to lock: the recorder and the checker
// together tell one from the other.
func TestARealLockIsGoodAndNoneIsBad(t *testing.T) {
	var mu sync.Mutex
	if err := contend(t, mu.Lock, func() {}, mu.Unlock); err != nil {
		t.Error(err)
	}
	var inside sync.WaitGroup // none lets go before all four have it
	inside.Add(4)
	err := contend(t, func() {}, func() { inside.Done(); inside.Wait() }, func() {})
	if !errors.Is(err, linear.ErrViolation) {
		t.Errorf("%v", err)
	}
}

func contend(t *testing.T, lock, held, unlock func()) error {
	t.Helper()
	rec := linear.NewRecorder(linear.Mutex)
	var wg sync.WaitGroup
	for client := range 4 {
		wg.Go(func() {
			grant := strings.Repeat("g", client+1)
			c := rec.Begin(linear.Operation{Client: client, Key: "k", Do: linear.Acquire, Grant: grant})
			lock()
			c.OK()
			held()
			c = rec.Begin(linear.Operation{Client: client, Key: "k", Do: linear.Release, Grant: grant})
			unlock()
			c.OK()
		})
	}
	wg.Wait()
	h, err := rec.History()
	if err != nil {
		t.Fatal(err)
	}
	return linear.Checker{Dir: t.TempDir()}.Check(h)
}

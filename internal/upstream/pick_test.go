package upstream

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNoEndpointIsATypedErrorAtOnce(t *testing.T) {
	p := newPool(t, Options{Name: "dictionary", Address: mustParse(t, "a:1/2,b:1/2"), Intervals: fast})
	_, err := p.Pick("", nil)
	if !errors.Is(err, ErrNoUpstream) || errors.Is(err, ErrAllTried) ||
		err.Error() != "upstream dictionary: no usable endpoint: 2 unknown" {
		t.Errorf("unchecked: %v", err)
	}
	empty := newPool(t, Options{Name: "dictionary", Address: mustParse(t, "file:/nowhere")})
	if _, err := empty.Pick("k", nil); !errors.Is(err, ErrNoUpstream) || !strings.HasSuffix(err.Error(), "none known") {
		t.Errorf("empty: %v", err)
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	p := static(t, Options{Policy: RoundRobin}, "a:1", "b:1", "c:1")
	var got []string
	for range 6 {
		got = append(got, mustPick(t, p, "", nil).Addr())
	}
	if g := strings.Join(got, " "); g != "b:1 c:1 a:1 b:1 c:1 a:1" {
		t.Error(g)
	}
}

// Of two endpoints both are always drawn, so the choice is certain.
func TestLeastRequestsTakesTheLessLoaded(t *testing.T) {
	p := static(t, Options{}, "a:1", "b:1")
	busy := mustPick(t, p, "", nil)
	var lent []*Endpoint
	for i := range 9 {
		lent = append(lent, mustPick(t, p, "", nil))
		if i == 0 && lent[0] == busy {
			t.Fatal("the busy one of two was chosen")
		}
	}
	if p.members[0].InFlight() != 5 || p.members[1].InFlight() != 5 {
		t.Errorf("10 requests were spread %d and %d", p.members[0].InFlight(), p.members[1].InFlight())
	}
	for _, e := range append(lent, busy) {
		e.Done(OK, 0)
	}
	if n := p.members[0].InFlight() + p.members[1].InFlight(); n != 0 {
		t.Errorf("%d in flight after all were released", n)
	}
}

func TestLeastRequestsKeepsQueuesShort(t *testing.T) {
	p := static(t, Options{}, "a:1", "b:1", "c:1", "d:1", "e:1")
	for range 1000 {
		mustPick(t, p, "", nil)
	}
	for _, e := range p.members {
		// Random choice would differ by √200 ≈ 14 typically, two choices by a few.
		if n := e.InFlight(); n < 190 || n > 210 {
			t.Errorf("%s has %d of 1000 requests, want about 200", e.Name(), n)
		}
	}
}

func TestKeySticksToItsOwner(t *testing.T) {
	p := static(t, Options{}, "a:1", "b:1", "c:1")
	used := map[string]bool{}
	for i := range 100 {
		key := "session-" + strconv.Itoa(i)
		owner := p.ring.Owner(key)
		for range 3 {
			if e := mustPick(t, p, key, nil); e.Name() != owner {
				t.Fatalf("%s: %s, owner is %s", key, e.Name(), owner)
			}
		}
		used[owner] = true
	}
	if len(used) != 3 {
		t.Errorf("only %v were used", used)
	}
}

// down takes members out as their checks would.
func down(p *Pool, which ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range which {
		p.setState(p.members[i], Down, "test")
	}
}

func TestKeyFallsBackAlongTheRingAndReturns(t *testing.T) {
	p := static(t, Options{}, "a:1", "b:1", "c:1")
	walk := p.ring.From("k")
	first, _ := walk.Next()
	second, _ := walk.Next()
	third, _ := walk.Next()
	for _, step := range []struct{ takeDown, want int }{{first, second}, {second, third}} {
		down(p, step.takeDown)
		if e := mustPick(t, p, "k", nil); e != p.members[step.want] {
			t.Fatalf("after %d went down: %s", step.takeDown, e.Name())
		}
	}
	p.mu.Lock()
	p.setState(p.members[first], Up, "test")
	p.mu.Unlock()
	if e := mustPick(t, p, "k", nil); e != p.members[first] {
		t.Errorf("the owner is back, but %s was chosen", e.Name())
	}
}

func TestFallbackIsBounded(t *testing.T) {
	for fallback, wantErr := range map[int][]bool{ // by number of owners down
		-1: {false, true, true, true},
		1:  {false, false, true, true},
		0:  {false, false, false, true},
	} {
		for n, want := range wantErr {
			p := static(t, Options{Fallback: fallback}, "a:1", "b:1", "c:1")
			walk := p.ring.From("k")
			for range n {
				i, _ := walk.Next()
				down(p, i)
			}
			_, err := p.Pick("k", nil)
			if (err != nil) != want || err != nil && !errors.Is(err, ErrNoUpstream) {
				t.Errorf("fallback %d, %d down: %v", fallback, n, err)
			}
		}
	}
}

func TestTriedEndpointsAreSkipped(t *testing.T) {
	for _, key := range []string{"", "k"} {
		for _, policy := range []Policy{LeastRequests, RoundRobin} {
			p := static(t, Options{Policy: policy}, "a:1", "b:1", "c:1")
			var tried Tried
			seen := map[*Endpoint]bool{}
			for range 3 {
				seen[mustPick(t, p, key, &tried)] = true
			}
			if len(seen) != 3 || tried.Len() != 3 {
				t.Errorf("key %q, %s: three picks gave %d endpoints", key, policy, len(seen))
			}
			if _, err := p.Pick(key, &tried); err != ErrAllTried || !errors.Is(err, ErrNoUpstream) {
				t.Errorf("fourth pick: %v", err)
			}
			tried.Reset()
			mustPick(t, p, key, &tried)
		}
	}
}

func TestNobodyTriesMoreThanMaxTried(t *testing.T) {
	var addrs []string
	for i := range MaxTried + 2 {
		addrs = append(addrs, "a:"+strconv.Itoa(i+1))
	}
	p := static(t, Options{}, addrs...)
	var tried Tried
	for range MaxTried {
		mustPick(t, p, "", &tried)
	}
	if _, err := p.Pick("", &tried); err != ErrAllTried {
		t.Error(err)
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	o := Options{}
	_, o.Health = Default()
	p := static(t, o, "a:1", "b:1", "c:1", "d:1", "e:1", "f:1")
	none := newPool(t, Options{Address: mustParse(t, "a:1/2"), Intervals: fast})
	for name, call := range map[string]func(){
		"policy": func() { e, _ := p.Pick("", nil); e.Done(OK, 1) },
		"key and tried": func() {
			var tried Tried
			for range 2 {
				e, _ := p.Pick("k", &tried)
				e.Done(ServerError, 1)
			}
			e, _ := p.Pick("", &tried)
			e.Done(OK, 1)
			_, _ = p.Pick("", &tried)
		},
		"unavailable": func() { _, _ = none.Pick("", nil) },
	} {
		for range 10 {
			call() // ejections happen now
		}
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// b is slow: with nothing else to do a and c get everything, and b is used when they have more to do than it has.
func TestFastestTakesTheLeastLoadedAndOfThoseNoSlowOne(t *testing.T) {
	p := static(t, Options{Policy: Fastest}, "a:1", "b:1", "c:1")
	now := time.Now().UnixNano()
	p.members[0].average(10*time.Millisecond, now)
	p.members[1].average(100*time.Millisecond, now)
	p.members[2].average(15*time.Millisecond, now)
	v := p.view.Load()
	got := map[string]int{}
	for range 300 {
		got[v.fastest(nil, now).Addr()]++
	}
	if got["b:1"] != 0 || got["a:1"] < 50 || got["c:1"] < 50 {
		t.Errorf("idle: %v", got)
	}
	if !p.members[0].acquire() || !p.members[2].acquire() {
		t.Fatal("no endpoint has left")
	}
	if e := v.fastest(nil, now); e.Addr() != "b:1" {
		t.Errorf("the others are busy: %s", e.Addr())
	}
	p.members[1].acquire()
	tried := Tried{n: 2, them: [MaxTried]*Endpoint{p.members[0], p.members[2]}}
	if e := v.fastest(&tried, now); e.Addr() != "b:1" {
		t.Errorf("the others were tried: %s", e.Addr())
	}
	tried.them[2], tried.n = p.members[1], 3
	if e := v.fastest(&tried, now); e != nil {
		t.Errorf("all were tried: %s", e.Addr())
	}
	for _, e := range p.members {
		e.Release()
	}
}

// Else one that was slow once is slow for ever.
func TestFastestLooksNowAndThenWhetherASlowOneStillIs(t *testing.T) {
	p := static(t, Options{Policy: Fastest}, "a:1", "b:1")
	now := time.Now().UnixNano()
	report := func(i int, latency time.Duration) { p.members[i].average(latency, now) }
	shares := func() (b int) {
		for range 300 {
			if p.view.Load().fastest(nil, now).Addr() == "b:1" {
				b++
			}
		}
		return b
	}
	report(0, time.Millisecond)
	report(1, time.Second)
	if n := shares(); n != 0 {
		t.Errorf("b is slow, and gets %d of 300", n)
	}
	now += stale + 1
	report(0, time.Millisecond)
	if n := shares(); n != 300 {
		t.Errorf("nobody knows of b, and it gets %d of 300", n)
	}
	p.members[1].acquire()
	if n := shares(); n != 0 {
		t.Errorf("b is being asked, and gets %d of 300 more", n)
	}
	p.members[1].Release()
	report(1, time.Millisecond)
	if n := shares(); n < 50 || n > 250 {
		t.Errorf("b is as quick as a again, and gets %d of 300", n)
	}
}

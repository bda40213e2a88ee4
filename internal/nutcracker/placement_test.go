package nutcracker

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// events notes what the hooks are told.
type events struct{ all []string }

func (e *events) hooks() Hooks {
	return Hooks{
		Ejected:  func(s Server, _ time.Time) { e.all = append(e.all, "-"+s.Name) },
		Returned: func(s Server) { e.all = append(e.all, "+"+s.Name) },
	}
}

func (e *events) String() string { return strings.Join(e.all, " ") }

func threeServers() Pool {
	p := newPool("p")
	p.Hash, p.AutoEject, p.FailureLimit, p.RetryTimeout = "md5", true, 2, 2*time.Second
	p.Servers = []Server{{"s0", "a:1", 1}, {"s1", "b:1", 1}, {"s2", "c:1", 1}}
	return p
}

func start(t *testing.T, p Pool, before *Placement, c *clock) (*Placement, *events) {
	t.Helper()
	e := &events{}
	placement, err := newPlacement(p, before, e.hooks(), c.read)
	if err != nil {
		t.Fatal(err)
	}
	return placement, e
}

// spread counts the keys of each server; the last is those of none.
func spread(p *Placement) [4]int {
	var n [4]int
	for i := range 300 {
		n[(p.Pick([]byte{'k', byte(i), byte(i >> 8)})+4)%4]++
	}
	return n
}

func TestAFailingServerIsEjectedAndComesBack(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1000, 0)}
	p, e := start(t, threeServers(), nil, c)
	before := spread(p)
	p.Failed(1)
	p.Succeeded(1) // in a row is what counts
	p.Failed(1)
	if got := spread(p); got != before {
		t.Fatalf("one failure in a row moved keys: %v, %v", before, got)
	}
	p.Failed(1)
	without := spread(p)
	if without[1] != 0 || without[0] <= before[0] || without[2] <= before[2] {
		t.Errorf("its keys were not spread over the others: %v, then %v", before, without)
	}
	c.pass(2 * time.Second) // not after it yet
	if got := spread(p); got != without {
		t.Error("it came back too early")
	}
	c.pass(time.Nanosecond)
	if got := spread(p); got != before {
		t.Errorf("after its time: %v, want %v", got, before)
	}
	p.Failed(1)
	if got := spread(p); got != before {
		t.Error("a failure from before was counted")
	}
	if e.String() != "-s1 +s1" {
		t.Errorf("the hooks were told %s", e)
	}
}

func TestNoServerIsPickedWhileAllAreEjected(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1000, 0)}
	p, e := start(t, threeServers(), nil, c)
	for i := range 3 {
		p.Failed(i)
		p.Failed(i)
		c.pass(500 * time.Millisecond)
	}
	if got := spread(p); got[3] != 300 {
		t.Errorf("picked %v", got)
	}
	c.pass(501 * time.Millisecond)
	if got := spread(p); got[0] != 300 {
		t.Errorf("the first is back alone: %v", got)
	}
	if want := time.Unix(1000, 0).Add(2500 * time.Millisecond); !p.Ejected(1).Equal(want) || !p.Ejected(0).IsZero() {
		t.Errorf("s1 until %v, s0 until %v", p.Ejected(1), p.Ejected(0))
	}
	if e.String() != "-s0 -s1 -s2 +s0" {
		t.Errorf("the hooks were told %s", e)
	}
}

func TestWithoutAutoEjectNothingIsEjected(t *testing.T) {
	t.Parallel()
	pool := threeServers()
	pool.AutoEject = false
	p, e := start(t, pool, nil, &clock{now: time.Unix(1000, 0)})
	before := spread(p)
	for range 10 {
		p.Failed(0)
	}
	if got := spread(p); got != before || e.String() != "" {
		t.Errorf("%v, then %v, %s", before, got, e)
	}
}

func TestTheOnlyServerGetsAllKeysUntilItIsEjected(t *testing.T) {
	t.Parallel()
	pool := threeServers()
	pool.Servers = pool.Servers[:1]
	p, _ := start(t, pool, nil, &clock{now: time.Unix(1000, 0)})
	if got := spread(p); got[0] != 300 {
		t.Errorf("%v", got)
	}
	p.Failed(0)
	p.Failed(0)
	if got := spread(p); got[3] != 300 {
		t.Errorf("ejected: %v", got)
	}
}

func TestAServerStaysEjectedWhenTheFileChanges(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1000, 0)}
	p, _ := start(t, threeServers(), nil, c)
	p.Failed(1)
	p.Failed(1)
	p.Failed(2)
	pool := threeServers()
	pool.Servers = append([]Server{{"s", "d:1", 1}}, pool.Servers...)
	pool.Servers[3].Addr = "c:2" // another server under an old name
	after, _ := start(t, pool, p, c)
	if got := spread(after); got[2] != 0 || got[0] == 0 || got[1] == 0 || got[3] == 0 {
		t.Errorf("%v", got)
	}
	after.Failed(3)
	if !after.Ejected(3).IsZero() {
		t.Error("the new server of an old name inherited its failure")
	}
	pool.AutoEject = false
	unlimited, _ := start(t, pool, after, c)
	if got := spread(unlimited); got[2] == 0 {
		t.Error("still ejected though nothing is ejected any more")
	}
}

// A change that is refused changes nothing of the placement that stays.
func TestAPoolThatCannotBePlacedIsRefusedBeforeAnybodyReturns(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1000, 0)}
	p, _ := start(t, threeServers(), nil, c)
	for server := range 2 {
		p.Failed(server)
		p.Failed(server)
		c.pass(1500 * time.Millisecond)
	} // the first may return, the second may not yet
	for want, change := range map[string]func(*Pool){
		`pool p: "sha1" is no hash`:         func(p *Pool) { p.Hash = "sha1" },
		`pool p: "ring" is no distribution`: func(p *Pool) { p.Distribution = "ring" },
		`server "s1": weight -1`:            func(p *Pool) { p.Servers[1].Weight = -1 },
	} {
		pool, e := threeServers(), &events{}
		change(&pool)
		if _, err := newPlacement(pool, p, e.hooks(), c.read); err == nil || !strings.Contains(err.Error(), want) || e.String() != "" {
			t.Errorf("%v, and the hooks were told %q, want %s", err, e, want)
		}
		if err := pool.Check(); err == nil || strings.Contains(err.Error(), "pool p") {
			t.Errorf("alone: %v", err)
		}
	}
}

func TestPickingDoesNotAllocate(t *testing.T) {
	p, _ := start(t, threeServers(), nil, &clock{now: time.Unix(1000, 0)})
	key := []byte("user:{42}:name")
	if n := testing.AllocsPerRun(100, func() { p.Pick(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPicksGoOnWhileServersFailAndReturn(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1000, 0)}
	p, _ := start(t, threeServers(), nil, c)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				if at := p.Pick([]byte{byte(i), byte(i >> 8)}); at < -1 || at > 2 {
					t.Errorf("picked %d", at)
				}
				p.Failed(i % 3)
				c.pass(time.Millisecond)
			}
		})
	}
	wg.Wait()
	c.pass(time.Hour)
	if got := spread(p); got[3] != 0 || got[0] == 0 || got[1] == 0 || got[2] == 0 {
		t.Errorf("after all: %v", got)
	}
}

func BenchmarkPick(b *testing.B) {
	p, err := NewPlacement(threeServers(), nil, Hooks{})
	if err != nil {
		b.Fatal(err)
	}
	key := []byte("user:12345678:name")
	b.ReportAllocs()
	for b.Loop() {
		p.Pick(key)
	}
}

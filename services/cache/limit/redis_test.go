package limit

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// server is a redis-server of this test alone.
type server struct {
	addr string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *server {
	t.Helper()
	path := realserver.Find(t, "redis-server", "nothing was tried with the real one")
	dir := t.TempDir()
	s := &server{addr: filepath.Join(dir, "s")}
	if len(s.addr) > 100 { // the kernel's bound of a socket's path
		short, err := os.MkdirTemp("", "limit")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(short) })
		s.addr = filepath.Join(short, "s")
	}
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", s.addr, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.addr, DisableIdentity: true})
	defer client.Close()
	await.Seen(t, "redis-server answers", func() (any, bool) {
		err := client.Ping(t.Context()).Err()
		return err, err == nil
	})
	return s
}

func (s *server) store(t *testing.T) *Redis {
	r := NewRedis(redis.Options{Network: "unix", Addr: s.addr}, "test:")
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// stores is every implementation of Store.
func stores(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemory(0)) })
	t.Run("miniredis", func(t *testing.T) {
		s := NewRedis(redis.Options{Addr: miniredis.RunT(t).Addr()}, "test:")
		t.Cleanup(func() { _ = s.Close() })
		test(t, s)
	})
	t.Run("redis", func(t *testing.T) { test(t, startRedis(t).store(t)) })
}

func settleOne(t *testing.T, s Store, a Ask) Grant {
	t.Helper()
	grants := make([]Grant, 1)
	if err := s.Settle(t.Context(), []Ask{a}, grants); err != nil {
		t.Fatal(err)
	}
	return grants[0]
}

func TestStoresKeepBuckets(t *testing.T) {
	stores(t, func(t *testing.T, s Store) {
		// So slow a rate that the time of the test does not count.
		ask := func(charge float64, want int) Ask {
			return Ask{Key: "k", Rate: 0.01, Burst: 10, Charge: charge, Want: want}
		}
		for i, step := range []struct {
			ask    Ask
			tokens int
			left   float64
		}{
			{ask(0, 4), 4, 6},
			{ask(2, 0), 0, 4},
			{ask(-3, 5), 5, 2}, // handed back, and taken again
			{ask(0, 100), 2, 0},
			{ask(0, 1), 0, 0},
			{ask(4, 1), 0, -4}, // it owes
			{ask(1, 0), 0, -5},
			{ask(100, 0), 0, -10}, // never more than a burst
			{ask(-15, 1), 1, 4},
			{ask(-100, 0), 0, 10}, // never more than full
		} {
			g := settleOne(t, s, step.ask)
			if g.Tokens != step.tokens || math.Abs(g.Left-step.left) > 0.05 {
				t.Fatalf("step %d: %+v: granted %d, left %.3f; want %d, %.3f", i, step.ask, g.Tokens, g.Left, step.tokens, step.left)
			}
		}
	})
}

func TestStoresTakeManyBucketsAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, s Store) {
		var asks []Ask
		for i := range batch {
			asks = append(asks, Ask{Key: fmt.Sprint("b", i), Rate: 0.01, Burst: 200, Charge: 1, Want: i})
		}
		grants := make([]Grant, len(asks))
		if err := s.Settle(t.Context(), asks, grants); err != nil {
			t.Fatal(err)
		}
		for i, g := range grants {
			if g.Tokens != i || math.Abs(g.Left-float64(199-i)) > 0.05 {
				t.Errorf("bucket %d: %+v", i, g)
			}
		}
	})
}

func TestStoresCountReplicas(t *testing.T) {
	stores(t, func(t *testing.T, s Store) {
		for i, name := range []string{"a", "b", "a", "c"} {
			n, err := s.Beat(t.Context(), name)
			if want := []int{1, 2, 2, 3}[i]; err != nil || n != want {
				t.Errorf("beat %d: %d, %v; want %d", i, n, err, want)
			}
		}
		if err := s.Leave(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		if n, err := s.Beat(t.Context(), "a"); n != 2 || err != nil {
			t.Errorf("after one left: %d, %v; want 2", n, err)
		}
	})
}

func TestAClockThatIsSetBackOrForthDoesLittleHarm(t *testing.T) {
	redisTime := miniredis.RunT(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	redisTime.SetTime(now)
	s := NewRedis(redis.Options{Addr: redisTime.Addr()}, "test:")
	defer s.Close()
	ask := func(want int) Grant { return settleOne(t, s, Ask{Key: "k", Rate: 10, Burst: 20, Want: want}) }
	if g := ask(20); g.Tokens != 20 {
		t.Fatalf("from a full bucket: %+v", g)
	}
	redisTime.SetTime(now.Add(-time.Hour))
	if g := ask(1); g.Left < -20 {
		t.Errorf("an hour back: left %v, want no less than a burst owed", g.Left)
	}
	redisTime.SetTime(now.Add(-time.Hour + 4*time.Second)) // 40 tokens later
	if g := ask(20); g.Tokens < 19 {
		t.Errorf("after the time that two bursts take: %+v", g)
	}
	redisTime.SetTime(now.Add(24 * time.Hour))
	if g := ask(100); g.Tokens != 20 {
		t.Errorf("a day forth: %+v, want one burst", g)
	}
}

func TestRealRedisForgetsABucketThatIsFullAgain(t *testing.T) {
	srv := startRedis(t)
	s := srv.store(t)
	settleOne(t, s, Ask{Key: "k", Rate: 1000, Burst: 50, Want: 50})
	settleOne(t, s, Ask{Key: "k", Rate: 1000, Burst: 50, Charge: -50})
	if n := s.client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys, want none", n)
	}
	settleOne(t, s, Ask{Key: "k", Rate: 1, Burst: 50, Want: 5})
	if ttl := s.client.PTTL(t.Context(), "test:k").Val(); ttl < 4*time.Second || ttl > 5*time.Second {
		t.Errorf("the key lives %v, want the 5s that the bucket takes to fill", ttl)
	}
}

// replicas runs limiters against a store until the test ends.
func replicasOn(t *testing.T, n int, store func() Store, limits Limits) []*Limiter {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var all []*Limiter
	for i := range n {
		l, err := New(Options{Limits: limits, Store: store(), Instance: fmt.Sprint("r", i), Replicas: n})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		go func() { _ = l.Run(ctx); done <- struct{}{} }()
	}
	t.Cleanup(func() {
		cancel()
		for range n {
			<-done
		}
	})
	return all
}

// hammer floods all replicas at once for that long, in real time, and returns what was allowed. Where a busy
// machine let the flood pause for longer than the bucket takes to fill, the rest of the pause does not count.
func hammer(all []*Limiter, who Identity, perSecond int, long, fill time.Duration) (allowed int, took time.Duration) {
	begun := time.Now()
	last := begun
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; time.Since(begun) < long; <-tick.C {
		now := time.Now()
		took += min(now.Sub(last), fill)
		last = now
		for due := int(now.Sub(begun).Seconds() * float64(perSecond)); sent < due; sent++ {
			if all[sent%len(all)].Decide(who, "/dog").Allowed {
				allowed++
			}
		}
	}
	return allowed, took
}

// The claim of the pattern in real time and with the real server: four seconds, once, all cases side by side.
func TestRealRedisGivesFloodsBurstPlusRateTimesTime(t *testing.T) {
	srv := startRedis(t)
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			all := replicasOn(t, n, func() Store {
				s := NewRedis(redis.Options{Network: "unix", Addr: srv.addr}, fmt.Sprintf("f%d:", n))
				t.Cleanup(func() { _ = s.Close() })
				return s
			}, classOf(50, 20))
			allowed, took := hammer(all, client(1), 1000, 4*time.Second, 400*time.Millisecond)
			t.Logf("%d replicas: %d allowed in %v, want %.1f", n, allowed, took, 20+50*took.Seconds())
			within(t, allowed, 50, 20, took, 0.02)
		})
	}
}

func TestRealRedisKilledAndHungInTheMiddle(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startRedis(t)
			all := replicasOn(t, 2, func() Store { return srv.store(t) }, classOf(100, 20))
			a, tookA := hammer(all, client(1), 2000, 500*time.Millisecond, 200*time.Millisecond)
			if err := srv.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			b, tookB := hammer(all, client(1), 2000, 1500*time.Millisecond, 200*time.Millisecond)
			for end := time.Now().Add(30 * time.Second); !all[0].away.Load() || !all[1].away.Load(); {
				if time.Now().After(end) {
					t.Fatal("a replica has not noticed that Redis is away")
				}
				more, took := hammer(all, client(1), 2000, 500*time.Millisecond, 200*time.Millisecond)
				b, tookB = b+more, tookB+took
			}
			within(t, a+b, 100, 20, tookA+tookB, 0.03)
			if sig != syscall.SIGSTOP {
				return
			}
			if err := srv.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(30 * time.Second); all[0].away.Load() || all[1].away.Load(); {
				if time.Now().After(end) {
					t.Fatal("a replica has not noticed that Redis is back")
				}
				hammer(all, client(1), 2000, retryAway, 200*time.Millisecond) // who asks notices
			}
		})
	}
}

func TestABlackHoleCostsNoDecisionItsTime(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	s := NewRedis(redis.Options{Addr: hole.Addr().String()}, "test:")
	defer s.Close()
	all := replicasOn(t, 1, func() Store { return s }, classOf(100, 20))
	allowed, took := hammer(all, client(1), 2000, time.Second, 200*time.Millisecond)
	within(t, allowed, 100, 20, took, 0.03)
}

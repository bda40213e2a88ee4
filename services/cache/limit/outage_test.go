package limit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWithoutTheStoreEachReplicaAllowsItsShare(t *testing.T) {
	for _, mode := range []string{"refuse", "hang", "lose answers"} {
		t.Run(mode+" in the middle", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(time.Millisecond)
				replicas, stop := fleet(t, 2, store, classOf(50, 20))
				defer stop()
				inTurn := func(i int) int { return i % 2 }
				allowed := flood(replicas, client(1), 1000, 2*time.Second, inTurn)
				store.set(mode)
				allowed += flood(replicas, client(1), 1000, 4*time.Second, inTurn)
				store.set("")
				allowed += flood(replicas, client(1), 1000, 4*time.Second, inTurn)
				within(t, allowed, 50, 20, 10*time.Second, 0.02)
			})
		})
		t.Run(mode+" from the start", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(time.Millisecond)
				store.set(mode)
				replicas, stop := fleet(t, 2, store, classOf(50, 20))
				defer stop()
				allowed := flood(replicas, client(1), 1000, 4*time.Second, func(i int) int { return i % 2 })
				within(t, allowed, 50, 20, 4*time.Second, 0.02)
			})
		})
		t.Run(mode+" and one replica has all the traffic", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(time.Millisecond)
				replicas, stop := fleet(t, 2, store, classOf(50, 20))
				defer stop()
				one := func(int) int { return 0 }
				flood(replicas, client(1), 1000, time.Second, one)
				store.set(mode)
				within(t, flood(replicas, client(1), 1000, 4*time.Second, one), 25, 0, 4*time.Second, 0.05)
				store.set("")
				time.Sleep(2 * retryAway)
				flood(replicas, client(1), 1000, time.Second, one)
				within(t, flood(replicas, client(1), 1000, 4*time.Second, one), 50, 0, 4*time.Second, 0.02)
			})
		})
	}
}

func TestAnOutageIsNoReasonToRefuseAClientBelowItsShare(t *testing.T) {
	for _, mode := range []string{"refuse", "hang"} {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory(time.Millisecond)
			replicas, stop := fleet(t, 2, store, classOf(50, 20))
			defer stop()
			inTurn := func(i int) int { return i % 2 }
			want, got := 0, 0
			for _, mode := range []string{"", mode, "", mode, ""} {
				store.set(mode)
				got += flood(replicas, client(1), 40, 5*time.Second, inTurn)
				want += 200
			}
			if got != want {
				t.Errorf("%s: %d of %d requests allowed", mode, got, want)
			}
		})
	}
}

func TestAStoreThatHangsNeverBlocksADecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		store.set("hang")
		replicas, stop := fleet(t, 2, store, classOf(50, 20))
		defer stop()
		for range 3000 {
			begun := time.Now()
			replicas[0].Decide(client(1), "/dog")
			if took := time.Since(begun); took > 0 {
				t.Fatalf("decided after %v of virtual time", took)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func TestAnOutageLetsNoBucketOweMoreThanABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		replicas, stop := fleet(t, 3, store, classOf(50, 30))
		defer stop()
		inTurn := func(i int) int { return i % 3 }
		flood(replicas, client(1), 1000, time.Second, inTurn)
		store.set("refuse")
		flood(replicas, client(1), 1000, 60*time.Second, inTurn)
		store.set("")
		// What was allowed meanwhile is paid already: the client gets its rate as soon as the store is back.
		within(t, flood(replicas, client(1), 1000, 2*time.Second, inTurn), 50, 0, 2*time.Second, 0.05)
		store.mu.Lock() // a replica may be at the store at this moment
		defer store.mu.Unlock()
		if store.negative {
			t.Error("a bucket owed more than a burst")
		}
	})
}

func TestTheNumberOfReplicasIsTheOneSeenLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		replicas, stop := fleet(t, 3, store, classOf(50, 20))
		time.Sleep(2 * beatEvery)
		for _, l := range replicas {
			if n := l.replicas.Load(); n != 3 {
				t.Errorf("%d replicas, want 3", n)
			}
		}
		store.set("refuse")
		time.Sleep(time.Minute)
		if n := replicas[0].replicas.Load(); n != 3 {
			t.Errorf("%d replicas after the store went away, want the 3 seen last", n)
		}
		store.set("")
		stop()
		again, stop := fleet(t, 1, store, classOf(50, 20))
		defer stop()
		time.Sleep(presence + beatEvery)
		if n := again[0].replicas.Load(); n != 1 {
			t.Errorf("%d replicas after two have left, want 1", n)
		}
	})
}

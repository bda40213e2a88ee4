package guard

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestTheSlowestHandshakeGoesFirstThenTheIdleThenNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(3, 3)
		var left []string
		admit := func(name string) *Seat {
			return g.Admit(addr("192.0.2.1"), func() { left = append(left, name) })
		}
		busy := admit("busy")
		busy.Enter(Busy)
		slow := admit("slow")
		time.Sleep(2 * Grace)
		idle := admit("idle")
		idle.Enter(Idle)
		time.Sleep(2 * Grace)

		fresh := admit("fresh")
		if fresh == nil || len(left) != 1 || left[0] != "slow" {
			t.Fatalf("first to go: %v", left)
		}
		slow.Leave() // its goroutine notices later
		next := admit("next")
		if next == nil || left[1] != "idle" {
			t.Fatalf("second to go: %v", left)
		}
		fresh.Enter(Busy)
		next.Enter(Busy)
		if admit("late") != nil {
			t.Error("there was room among busy connections")
		}
		if c := g.Counts(); c.Busy != 3 || c.Evicted != 2 || c.Refused != 1 || c.Addresses != 1 {
			t.Errorf("%+v", c)
		}
		for _, s := range []*Seat{busy, fresh, next, idle} {
			s.Leave()
		}
		if c := g.Counts(); c.Busy+c.Idle+c.Opening+c.Addresses != 0 {
			t.Errorf("left behind: %+v", c)
		}
	})
}

func TestOneAddressCannotTakeTheRoomOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // nobody is older than another
		g := New(10, 4)
		closed := map[string]int{}
		admit := func(a string) *Seat { return g.Admit(addr(a), func() { closed[a]++ }) }
		friend := admit("192.0.2.9")
		for range 100 {
			if admit("192.0.2.1") == nil {
				t.Fatal("refused, though others of the address could go")
			}
		}
		if closed["192.0.2.1"] != 96 || closed["192.0.2.9"] != 0 {
			t.Errorf("closed %v", closed)
		}
		// The total is reached by many addresses: who holds most gives most.
		for i := range 5 {
			admit(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
		}
		admit("203.0.113.1")
		if closed["192.0.2.1"] != 97 || closed["192.0.2.9"] != 0 {
			t.Errorf("closed %v", closed)
		}
		friend.Leave()
		friend.Leave() // twice is once
	})
}

func TestAnIPv6NetworkIsOneHousehold(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]string{
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::",
	} {
		if got := household(addr(a)); got != addr(want) {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

func TestARequestThatHasJustBegunIsNotCut(t *testing.T) {
	t.Parallel()
	g := New(1, 1)
	s := g.Admit(addr("192.0.2.1"), func() { t.Error("it was closed") })
	s.Enter(Idle)
	s.Enter(Busy)
	if g.Admit(addr("192.0.2.2"), func() {}) != nil {
		t.Error("a second one was admitted")
	}
	if s.IdleFor() != 0 {
		t.Error("busy is not idle")
	}
}

package decide

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nobody is hot where all have more: that is a busy day.
func TestABusyDayIsNotAHotShard(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 100, 1, 8), at("b", 100, 1, 8), at("c", 100, 1, 8))
	s.run(30)
	for _, name := range []string{"a", "b", "c"} {
		s.rate(name, 5000)
	}
	s.run(60)
	wantTold(t, s.told())
}

func TestFourTimesTheLoadGetsFourTimesTheReplicasAndGivesThemBack(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 100, 1, 8), at("b", 100, 1, 8), at("c", 100, 1, 8))
	s.run(20)
	s.rate("a", 400)
	s.run(20)
	wantTold(t, s.told(), "shard a: 1 replicas become 4") // 400 / 4 = 100, the level
	s.rate("a", 100)
	s.run(60)
	wantTold(t, s.told()[1:], "shard a: 4 replicas become 3", "shard a: 3 replicas become 2", "shard a: 2 replicas become 1")
}

// down takes all replicas of a shard away for some looks, with its load.
func (s *simulation) down(i, looks int) {
	s.world.Shards[i].Ready, s.world.Shards[i].Rate = 0, 0
	s.due[i] = looks
}

// A shard that cannot answer has no load. Beside it the others are not hot, nor right after it has come back, when the window
// over which its load is measured is still empty in part.
func TestAShardThatIsDownMakesNobodyHot(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 100, 1, 8), at("b", 100, 1, 8), at("c", 100, 1, 8))
	s.world.Window = 10 * time.Second
	s.run(20)
	s.down(1, 30)
	s.run(29)
	s.look() // it is back
	for measured := range 11 {
		s.rate("b", 10*float64(measured))
		s.look()
	}
	s.run(20)
	wantTold(t, s.told())
	// What is hot beside the others that can answer, is.
	s.down(1, 100)
	s.rate("a", 400)
	s.run(20)
	wantTold(t, s.told(), "shard a: 1 replicas become 4")
}

func TestWhereNobodyElseCanAnswerNobodyIsHot(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 400, 1, 8), at("b", 100, 1, 8))
	s.down(1, 60)
	s.run(50)
	wantTold(t, s.told())
}

// Guests need not wait until the replicas that they share come back: they have a home.
func TestGuestsOfReplicasThatAreDownGoHome(t *testing.T) {
	p := testPolicy()
	p.Floor = 200
	s := simulate(t, p, at("a", 400, 2, 8), at("b", 400, 2, 8), at("c", 20, 2, 8), at("d", 10, 2, 8))
	s.run(60)
	joined := []string{"shard d moves to the replicas of c", "shard d: 2 replicas become 1"}
	wantTold(t, s.told(), joined...)
	s.world.Shards[2].Ready, s.due[2] = 0, 1000
	s.run(1)
	wantTold(t, s.told(), joined...) // one look may be a restart of both
	s.run(10)
	wantTold(t, s.told()[2:], "shard d: 1 replicas become 2", "shard d moves home from the replicas of c")
	if why := strings.Join(s.made[3].Reasons, "; "); !strings.Contains(why, "none of the replicas of c, which serve it, is ready") {
		t.Errorf("reasons: %s", why)
	}
}

func TestWhatIsHotForOneLookOnlyIsLeftAlone(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 100, 1, 8), at("b", 100, 1, 8))
	s.run(20)
	for range 20 {
		s.rate("a", 400)
		s.look()
		s.rate("a", 100)
		s.look()
	}
	wantTold(t, s.told())
}

func TestNothingIsAddedDuringTheRest(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 400, 1, 8), at("b", 100, 1, 8))
	s.run(2) // hot for two looks, and the judge is two seconds old
	wantTold(t, s.told())
	if v := s.look(); len(v.Candidates) != 1 || len(s.made) != 1 {
		t.Errorf("after the rest: %+v", v.Candidates)
	}
}

func TestOneReplicaIsAddedWhereAnswersAreLateAndTheRatioIsOnlyWarm(t *testing.T) {
	p := testPolicy()
	a, b, c := at("a", 140, 1, 8), at("b", 100, 1, 8), at("c", 100, 1, 8)
	a.P99, b.P99, c.P99 = 90*time.Millisecond, 30*time.Millisecond, 30*time.Millisecond
	s := simulate(t, p, a, b, c)
	s.run(10)
	wantTold(t, s.told(), "shard a: 1 replicas become 2")
	if !strings.Contains(strings.Join(s.made[0].Reasons, "; "), "its 99th percentile is 90ms, that of the others 30ms") {
		t.Errorf("reasons: %q", s.made[0].Reasons)
	}
	slow := simulate(t, p, a, b, c)
	slow.rate("a", 100)
	slow.run(40)
	wantTold(t, slow.told()) // a slow disk is not mended by replicas
}

func TestALatencyFromBeforeTheChangeIsNoReasonForTheNextOne(t *testing.T) {
	p := testPolicy()
	p.GrowRest = 0
	a, b := at("a", 140, 1, 8), at("b", 100, 1, 8)
	a.P99, b.P99 = 90*time.Millisecond, 30*time.Millisecond
	s := simulate(t, p, a, b)
	s.world.Window = 20 * time.Second
	s.run(19)
	wantTold(t, s.told())
	s.run(5)
	wantTold(t, s.told(), "shard a: 1 replicas become 2")
}

func TestTheBudgetBoundsWhatIsAddedAndSaysSo(t *testing.T) {
	p := testPolicy()
	p.Budget = 3
	s := simulate(t, p, at("a", 800, 1, 8), at("b", 100, 1, 8))
	s.run(10)
	wantTold(t, s.told(), "shard a: 1 replicas become 2")
	if d, blocked := s.look().Blocked(); !blocked || d.Kind != Grow || !strings.Contains(d.Waits[0], "3 of the budget of 3") {
		t.Errorf("blocked: %v, %+v", blocked, d)
	}
}

func TestTheMostOfAShardBoundsItAndDoesNotStopTheOthers(t *testing.T) {
	b := at("b", 100, 1, 8)
	b.Want, b.Ready = 3, 3
	s := simulate(t, testPolicy(), at("a", 800, 1, 2), b)
	s.run(60)
	wantTold(t, s.told(), "shard a: 1 replicas become 2", "shard b: 3 replicas become 2", "shard b: 2 replicas become 1")
}

func TestTwoColdShardsShareReplicasAndTheHomeThatIsLeftKeepsOne(t *testing.T) {
	p := testPolicy()
	p.Floor = 200 // is nothing to a replica
	s := simulate(t, p, at("a", 400, 2, 8), at("b", 400, 2, 8), at("c", 20, 2, 8), at("d", 10, 2, 8))
	s.run(60)
	wantTold(t, s.told(), "shard d moves to the replicas of c", "shard d: 2 replicas become 1")
	s.rate("d", 400) // 420 / 2 is 1.05 of the level of 200
	s.run(60)
	wantTold(t, s.told()[2:], "shard d: 1 replicas become 2", "shard d moves home from the replicas of c")
}

func TestNobodyJoinsWhereNothingIsWon(t *testing.T) {
	p := testPolicy()
	p.Floor = 400
	s := simulate(t, p, at("a", 400, 1, 8), at("b", 400, 1, 8), at("c", 20, 1, 8), at("d", 10, 1, 8))
	s.run(60)
	wantTold(t, s.told())
}

func TestAtNightAllIsScaledBackByTheFloor(t *testing.T) {
	p := testPolicy()
	p.Share = false
	s := simulate(t, p, at("a", 400, 1, 8), at("b", 100, 1, 8))
	s.run(10)
	s.rate("a", 0)
	s.rate("b", 0)
	s.run(60)
	if n := s.world.Replicas(); n != 2 {
		t.Errorf("%d replicas at night: %q", n, s.told())
	}
}

func TestAGroupThatIsChangingIsLeftAlone(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 800, 1, 8), at("b", 100, 1, 8))
	s.slow = 15
	s.run(12)
	wantTold(t, s.told(), "shard a: 1 replicas become 4") // and not more, while they start
}

func TestNothingIsTakenAwayWhileAReplicaIsMissingAnywhere(t *testing.T) {
	a := at("a", 100, 1, 8)
	a.Want, a.Ready = 3, 3
	b := at("b", 100, 2, 8)
	b.Ready = 1
	s := simulate(t, testPolicy(), a, b)
	s.due[1] = 40
	s.run(39)
	wantTold(t, s.told())
	s.run(10)
	wantTold(t, s.told(), "shard a: 3 replicas become 2")
}

func TestNothingIsTakenAwayWhileAMoveIsNotThrough(t *testing.T) {
	d := at("d", 10, 2, 8)
	d.Host, d.Unsettled = "c", true
	p := testPolicy()
	p.Floor = 200
	s := simulate(t, p, at("a", 400, 2, 8), at("b", 400, 2, 8), at("c", 20, 2, 8), d)
	s.run(30)
	wantTold(t, s.told()) // a proxy still sends to the replicas of d
	s.world.shard("d").Unsettled = false
	s.run(5)
	wantTold(t, s.told(), "shard d: 2 replicas become 1")
}

func TestWhoIsBeyondHisBoundsIsBroughtBack(t *testing.T) {
	a, b := at("a", 100, 2, 4), at("b", 100, 2, 4)
	a.Want, a.Ready, b.Want, b.Ready = 1, 1, 6, 6
	s := simulate(t, testPolicy(), a, b)
	for range 40 {
		s.world.At = s.world.At.Add(time.Second)
		if d, now := s.judge.Look(s.world).Next(); now {
			s.do(d)
		}
		for i := range s.world.Shards {
			s.world.Shards[i].Ready = s.world.Shards[i].Want
		}
	}
	if told := s.told(); len(told) < 2 || told[0] != "shard a: 1 replicas become 2" || told[1] != "shard b: 6 replicas become 4" {
		t.Errorf("decisions: %q", told)
	}
}

func TestALookThatWasNotPossibleBeginsTheCountAnew(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 400, 1, 8), at("b", 100, 1, 8))
	for range 20 {
		s.look()
		s.judge.Blind()
	}
	wantTold(t, s.told())
}

func TestOneShardAloneIsNeverHot(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 9000, 1, 8))
	s.run(40)
	wantTold(t, s.told())
}

// shared is a world in which d is a guest of c; the level is 200.
func shared(t *testing.T, c, d float64) *simulation {
	p := testPolicy()
	p.Floor = 200
	guest := at("d", d, 2, 8)
	guest.Host, guest.Want, guest.Ready = "c", 1, 1
	return simulate(t, p, at("a", 400, 2, 8), at("b", 400, 2, 8), at("c", c, 2, 8), guest)
}

func TestTwoShardsThatAreColdAloneAndNotTogetherStayApart(t *testing.T) {
	s := shared(t, 180, 180) // 0.45 each, and 0.9 together
	d := s.world.shard("d")
	d.Host, d.Want, d.Ready = "d", 2, 2
	s.run(40)
	wantTold(t, s.told())
}

func TestAGroupOfTwoKeepsAReplicaWithoutWhichItWouldPart(t *testing.T) {
	s := shared(t, 150, 150)
	c := s.world.shard("c")
	c.Want, c.Ready = 3, 3
	s.run(40)
	wantTold(t, s.told()) // 300 / 2 would be 0.75 of the level: cool enough for one, not cold enough for two
	s.rate("c", 40)
	s.run(40)
	wantTold(t, s.told(), "shard c: 3 replicas become 2")
}

func TestAHostGetsNoReplicasWhileItsGuestCanGoHome(t *testing.T) {
	s := shared(t, 20, 900)
	s.slow = 10 // its home takes a while
	s.run(14)
	wantTold(t, s.told(), "shard d: 1 replicas become 2", "shard d moves home from the replicas of c")
}

func TestAGuestMovesAsSoonAsItsHomeIsReady(t *testing.T) {
	s := shared(t, 20, 900)
	s.judge.policy.GrowRest = 8 * time.Second
	for len(s.made) == 0 {
		s.look()
	}
	s.look()
	wantTold(t, s.told(), "shard d: 1 replicas become 2", "shard d moves home from the replicas of c")
}

// A controller that has just started finds a home that the one before has prepared.
func TestAHomeThatIsAboutToBeUsedIsNotRetired(t *testing.T) {
	s := shared(t, 20, 900)
	s.judge.policy.HotLooks = 6
	d := s.world.shard("d")
	d.Want, d.Ready = 2, 2
	s.run(6)
	wantTold(t, s.told(), "shard d moves home from the replicas of c")
}

func TestNothingIsTakenAwayWhileAnotherShardIsInNeed(t *testing.T) {
	b := at("b", 100, 1, 8)
	b.Want, b.Ready = 2, 2
	s := simulate(t, testPolicy(), at("a", 400, 1, 8), b, at("c", 100, 1, 8))
	s.judge.policy.HotLooks = 12
	s.run(12)
	wantTold(t, s.told(), "shard a: 1 replicas become 4")
	s.run(10)
	wantTold(t, s.told()[1:], "shard b: 2 replicas become 1")
}

// The others are not cold because one is hot: with its new replicas it has no more than they.
func TestAHotShardDoesNotMakeTheOthersCold(t *testing.T) {
	s := simulate(t, testPolicy(), at("a", 800, 2, 8), at("b", 200, 2, 8), at("c", 200, 2, 8))
	s.run(80)
	wantTold(t, s.told(), "shard a: 2 replicas become 5", "shard a: 5 replicas become 8")
}

// But where the budget is used up, they make room for it.
func TestColdShardsMakeRoomForAHotOne(t *testing.T) {
	p := testPolicy()
	p.Budget = 6
	s := simulate(t, p, at("a", 800, 2, 8), at("b", 100, 2, 8), at("c", 60, 2, 8))
	s.run(80)
	wantTold(t, s.told(), "shard c moves to the replicas of b", "shard c: 2 replicas become 1", "shard a: 2 replicas become 3")
}

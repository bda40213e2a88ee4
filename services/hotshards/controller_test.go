package hotshards

import (
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads/loadstest"
)

func parse(t *testing.T, env map[string]string) Config {
	t.Helper()
	cfg, err := process.Parse[Config](Program, env)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestNothingIsDoneWhileAProxyIsAway(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	h.proxies[1].Break(true)
	h.step(20)
	h.want()
	if err := h.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("ready: %v", err)
	}
	h.proxies[1].Break(false)
	h.step(1)
	h.want() // what held before is not known
	h.step(5)
	h.want("shard a: 2 replicas become 6: applied")
	if err := h.ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}

func TestNothingIsDoneWhileTheOrchestratorIsAwayAndWhatWasSeenIsKept(t *testing.T) {
	h := start(t, nil)
	h.step(1)
	h.runner.Break(true)
	h.rate("a", 800)
	h.step(20)
	h.want()
	r, err := h.report()
	if err != nil || r.Fresh || r.Missing != noOrchestrator || len(r.Shards) != 3 || r.Shards[0].Rate != 200 {
		t.Errorf("%+v, %v", r, err)
	}
	if p, err := h.plan(); err != nil || p.Next != nil || p.Fresh {
		t.Errorf("%+v, %v", p, err)
	}
	if err := h.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "orchestrator") {
		t.Errorf("ready: %v", err)
	}
	h.runner.Break(false)
	h.step(6)
	h.want("shard a: 2 replicas become 6: applied")
}

func TestAChangeThatFailsIsToldAndTriedAgainAfterTheRest(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	h.step(2)
	release := h.runner.Hold()
	h.clock = h.clock.Add(2 * time.Second)
	h.controller.look(t.Context()) // begins, and is held
	h.runner.Break(true)
	release()
	h.finish()
	h.runner.Break(false)
	h.step(1)
	h.want("shard a: 2 replicas become 6: failed")
	h.step(2)
	h.want("shard a: 2 replicas become 6: failed") // the rest
	h.step(3)
	h.want("shard a: 2 replicas become 6: failed", "shard a: 2 replicas become 6: applied")
	h.wantReplicas("cache-a", 6)
}

func TestLooksGoOnWhileAChangeIsMadeAndThereIsOnlyOne(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	h.rate("b", 800)
	release := h.runner.Hold()
	defer release()
	for range 10 {
		h.clock = h.clock.Add(time.Second)
		h.controller.look(t.Context())
	}
	p, err := h.plan()
	if err != nil || !p.At.Equal(h.clock) || !strings.Contains(p.Busy, "shard a: 2 replicas become 3") || p.Next != nil || len(p.Candidates) != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	release()
	h.finish()
	h.step(6)
	h.want("shard a: 2 replicas become 3: applied", "shard b: 2 replicas become 3: applied")
}

func TestWhoScaledByHandMeanwhileIsNotOverruled(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	h.step(2)
	release := h.runner.Hold()
	defer release()
	h.runner.Set("cache-a", 5, 5)
	h.step(0)
	h.clock = h.clock.Add(2 * time.Second)
	h.controller.look(t.Context()) // sees five: 160 for each, 1.6 times the level
	release()
	h.finish()
	h.step(1)
	h.want("shard a: 5 replicas become 8: applied")
}

func TestAHotShardGetsReplicasAndGivesThemBack(t *testing.T) {
	h := start(t, nil)
	h.step(10)
	h.want()
	h.rate("a", 800) // each of two gets 400, each of the others' 100
	h.step(10)
	h.want("shard a: 2 replicas become 6: applied") // no more than four at once; 133 is below 1.5 times 100
	h.rate("a", 200)
	h.step(60)
	h.want("shard a: 2 replicas become 6: applied", "shard a: 6 replicas become 5: applied", "shard a: 5 replicas become 4: applied",
		"shard a: 4 replicas become 3: applied", "shard a: 3 replicas become 2: applied")
	h.wantReplicas("cache-a", 2)
}

func TestColdShardsShareReplicasUntilOneIsNeeded(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_FLOOR": "100"})
	h.rate("b", 20)
	h.rate("c", 10)
	h.step(20)
	joined := []string{"shard c moves to the replicas of b: applied", "shard c: 2 replicas become 1: applied"}
	h.want(joined...)
	h.wantPlace("c", "file:/b")
	h.wantPlace("b", "file:/b")
	r, err := h.report()
	if err != nil || r.Shards[2].Host != "b" || r.Shards[2].Group.Home != "b" || r.Shards[2].Group.Rate != 30 {
		t.Errorf("%+v, %v", r, err)
	}
	h.rate("c", 200)
	h.step(20)
	h.want(append(joined, "shard c: 1 replicas become 2: applied", "shard c moves home from the replicas of b: applied")...)
	h.wantPlace("c", "file:/c")
}

func TestReplicasOfAHomeStayUntilNoProxySendsThere(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_FLOOR": "100"})
	h.rate("b", 20)
	h.rate("c", 10)
	h.proxies[1].Change("c", func(s *loadstest.Shard) { s.Leaving = false })
	for len(h.became()) == 0 {
		h.step(1)
	}
	h.proxies[1].Change("c", func(s *loadstest.Shard) { s.Leaving = true })
	h.step(20)
	h.want("shard c moves to the replicas of b: applied")
	h.wantReplicas("cache-c", 2)
	h.proxies[1].Change("c", func(s *loadstest.Shard) { s.Leaving = false })
	h.step(5)
	h.want("shard c moves to the replicas of b: applied", "shard c: 2 replicas become 1: applied")
}

// A proxy that restarts has the places of its file.
func TestAProxyThatForgotAMoveIsToldAgain(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_FLOOR": "100"})
	h.rate("b", 20)
	h.rate("c", 10)
	h.step(20)
	h.restart() // nor does the controller remember
	h.proxies[0].Change("c", func(s *loadstest.Shard) { s.Replicas = "file:/c" })
	h.step(2)
	h.wantPlace("c", "file:/b") // its home has one replica of two: it was retired
	if list := h.became(); list[len(list)-1] != "shard c is served by the replicas of b, at all proxies: applied" {
		t.Errorf("%q", list)
	}
}

func TestAMoveThatReachedOneProxyOnlyIsUndone(t *testing.T) {
	h := start(t, nil)
	h.proxies[0].Change("c", func(s *loadstest.Shard) { s.Replicas = "file:/b" })
	h.step(2)
	h.wantPlace("c", "file:/c") // its home is as it was
}

// A proxy that refuses a place, such as that it finds no replicas there, is not asked each second, and does not push everything
// else out of the history.
func TestARepairThatFailsRestsBeforeTheNext(t *testing.T) {
	h := start(t, nil)
	h.proxies[0].Change("c", func(s *loadstest.Shard) { s.Replicas = "file:/b" })
	h.proxies[0].Refuse("its replicas were not found in time")
	h.step(3)
	h.want("shard c is served by the replicas of c, at all proxies: failed")
	if p, err := h.plan(); err != nil || !strings.Contains(p.Busy, "disagree") {
		t.Errorf("%+v, %v", p, err)
	}
	h.proxies[0].Refuse("")
	h.step(4)
	h.want("shard c is served by the replicas of c, at all proxies: failed", "shard c is served by the replicas of c, at all proxies: applied")
}

// Each proxy may take as long as HOTSHARDS_SCALE_TIMEOUT, whatever those before it took.
func TestAMoveHasItsTimeAtEachProxy(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_SCALE_TIMEOUT": "1ms"})
	if err := h.carryOut(t.Context(), decided{Repair: &repair{shard: "c", host: "b"}}); err != nil {
		t.Error(err)
	}
	h.wantPlace("c", "file:/b")
}

func TestAShardAtAnUnknownPlaceStopsEverything(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	for _, p := range h.proxies {
		p.Change("c", func(s *loadstest.Shard) { s.Replicas = "file:/elsewhere" })
	}
	h.step(20)
	h.want()
	if err := h.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody's") {
		t.Errorf("ready: %v", err)
	}
}

func TestADryRunTellsADecisionOnceAndDoesNothing(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_DRY_RUN": "on"})
	h.rate("a", 800)
	h.step(30)
	h.want("shard a: 2 replicas become 6: dry-run")
	h.wantReplicas("cache-a", 2)
	h.rate("a", 200)
	h.step(10)
	h.rate("a", 800)
	h.step(10)
	h.want("shard a: 2 replicas become 6: dry-run", "shard a: 2 replicas become 6: dry-run")
}

func TestWhatTheBudgetForbidsIsToldOnce(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_BUDGET": "6", "HOTSHARDS_SHARE": "off"})
	h.rate("a", 800)
	h.step(30)
	h.want("shard a: 2 replicas become 6: blocked")
}

// The one before has just scaled; a new one must not scale once more for the same load, nor take away.
func TestARestartDecidesNothingInHaste(t *testing.T) {
	h := start(t, nil)
	h.rate("a", 800)
	h.step(10)
	h.want("shard a: 2 replicas become 6: applied")
	for range 20 {
		h.restart()
		h.step(2) // for which it is hot, were it hot
	}
	h.want("shard a: 2 replicas become 6: applied")
	h.rate("a", 200)
	for range 20 {
		h.restart()
		h.step(5)
	}
	h.want("shard a: 2 replicas become 6: applied") // never long enough to take something away
}

func TestTheHistoryIsBoundedAndTellsTheNewestFirst(t *testing.T) {
	h := start(t, map[string]string{"HOTSHARDS_HISTORY": "3"})
	h.rate("a", 800)
	h.step(10)
	h.rate("a", 200)
	h.step(60)
	list := h.history.newest(10)
	if len(list) != 3 || list[0].Number != 5 || list[2].Number != 3 || list[0].To != 2 {
		t.Errorf("%+v", list)
	}
	if len(h.history.newest(1)) != 1 {
		t.Error("the limit does not hold")
	}
	if n := list[0].Numbers; n == nil || n.Rate != 200 || n.Level != 100 || len(list[0].Reasons) == 0 {
		t.Errorf("%+v", list[0])
	}
}

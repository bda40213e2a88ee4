package hotshards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
)

// A controller looks, decides and acts, again and again.
type controller struct {
	cfg          *Config
	shards       []shard
	proxies      proxies
	orchestrator orchestrator
	history      *history
	metrics      *metrics
	log          *slog.Logger
	now          func() time.Time

	// Of the goroutine that looks.
	judge  *decide.Judge
	acting *action
	blind  string    // why the last look has failed, to log each reason once
	told   *decided  // the last decision that was not carried out
	failed time.Time // when a repair has failed the last time; zero: never

	mu    sync.Mutex // guards what the API shows
	shown shown
}

// shown is the last look that was possible, and whether there was one since that was not.
type shown struct {
	sight   sight
	verdict decide.Verdict
	at      time.Time // zero: there was none yet
	busy    string
	failed  string // what was missing at the last look; "": nothing
}

// An action is a change that is being made.
type action struct {
	decided
	what string
	end  chan error
}

// run looks until ctx ends, and waits for what it has begun.
func (c *controller) run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Interval)
	defer tick.Stop()
	for {
		c.look(ctx)
		select {
		case <-ctx.Done():
			if c.acting != nil {
				<-c.acting.end // it ends with ctx, too; the orchestrator brings to its end what it was told
			}
			return
		case <-tick.C:
		}
	}
}

// look is one step: what is, what should be, and the next change.
func (c *controller) look(ctx context.Context) {
	c.collect()
	found, err := c.see(ctx)
	if err != nil {
		c.missed(ctx, err)
		return
	}
	if c.blind != "" {
		c.log.Info("everything is seen again")
		c.blind = ""
	}
	if c.acting != nil {
		found.world.Busy = "another change is being made: " + c.acting.what
	} else if found.repair != nil {
		found.world.Busy = "the proxies disagree about shard " + found.repair.shard
	}
	v := c.judge.Look(found.world)
	c.metrics.saw(found, v)
	c.show(func(s *shown) {
		s.sight, s.verdict, s.at, s.failed, s.busy = found, v, found.world.At, "", found.world.Busy
	})
	if c.acting != nil {
		return
	}
	if found.repair != nil {
		if c.failed.IsZero() || c.now().Sub(c.failed) >= c.cfg.GrowRest {
			c.act(ctx, decided{Repair: found.repair})
		}
		return
	}
	if d, now := v.Next(); now {
		c.act(ctx, decided{Decision: d})
		return
	}
	d, blocked := v.Blocked()
	c.metrics.setBlocked(blocked)
	switch {
	case blocked:
		c.tell(decided{Decision: d}, outcomeBlocked)
	case len(v.Candidates) == 0:
		c.told = nil // what comes next is told again
	}
}

// missed is a look that was not possible. What was shown stays, with what is missing now.
func (c *controller) missed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it is we who leave
	}
	whose := noSense
	var b *blindness
	if errors.As(err, &b) {
		whose = b.whose
	}
	c.judge.Blind()
	c.metrics.looks.WithLabelValues(whose).Inc()
	c.show(func(s *shown) { s.failed = whose })
	if text := err.Error(); whose != c.blind {
		c.log.Warn("nothing is decided", "missing", whose, "error", text)
	}
	c.blind = whose
}

// collect takes the outcome of a change that has ended.
func (c *controller) collect() {
	if c.acting == nil {
		return
	}
	select {
	case err := <-c.acting.end:
		c.ended(err)
	default:
	}
}

func (c *controller) ended(err error) {
	a := c.acting
	c.acting = nil
	switch {
	case a.Repair == nil:
		c.judge.Made(a.Decision, c.now())
	case err != nil:
		c.failed = c.now()
	}
	if err == nil {
		c.record(a.decided, outcomeApplied)
		return
	}
	c.log.Error("decision not carried out", "what", a.what, "error", err)
	c.record(a.decided, outcomeFailed)
}

// act begins a change, or tells it where none is to be made.
func (c *controller) act(ctx context.Context, d decided) {
	if c.cfg.DryRun {
		c.tell(d, outcomeDryRun)
		return
	}
	a := &action{decided: d, what: d.String(), end: make(chan error, 1)}
	c.acting = a
	c.log.Info("decided", d.attributes()...)
	go func() { a.end <- c.carryOut(ctx, d) }()
}

func (c *controller) carryOut(ctx context.Context, d decided) error {
	switch { // a move has its time at each proxy
	case d.Repair != nil:
		return c.proxies.Place(ctx, d.Repair.shard, c.address(d.Repair.host))
	case d.Kind.Moves():
		return c.proxies.Place(ctx, d.Shard, c.address(d.Host))
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ScaleTimeout)
	defer cancel()
	return c.orchestrator.Scale(ctx, c.entry(d.Shard).Service, d.From, d.To)
}

// tell records a decision that is not carried out, once.
func (c *controller) tell(d decided, outcome string) {
	if c.told != nil && c.told.same(d) {
		return
	}
	c.told = &d
	c.log.Info("decided, not carried out", append(d.attributes(), "outcome", outcome)...)
	c.record(d, outcome)
}

func (c *controller) record(d decided, outcome string) {
	c.metrics.decisions.WithLabelValues(d.kind(), outcome).Inc()
	c.history.add(d, outcome, c.now())
}

func (c *controller) show(change func(*shown)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.shown)
}

func (c *controller) state() shown {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown
}

// ready tells why the numbers are not those of now.
func (c *controller) ready(context.Context) error {
	s := c.state()
	switch age := c.now().Sub(s.at); {
	case s.at.IsZero() && s.failed != "":
		return fmt.Errorf("there was no look yet: %s", missing[s.failed])
	case s.at.IsZero():
		return errors.New("there was no look yet")
	case age > c.fresh():
		return fmt.Errorf("the last look was %s ago: %s", age.Round(time.Second), missing[s.failed])
	}
	return nil
}

// missing explains the outcomes of looks to operators.
var missing = map[string]string{
	"":             "it takes long",
	noProxies:      "a sharding proxy does not answer, or they have different shards",
	noOrchestrator: "the orchestrator does not answer, or has no such service",
	noSense:        "a shard is unknown to the proxies, or served by replicas that are nobody's",
}

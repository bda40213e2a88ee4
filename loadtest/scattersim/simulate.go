package scattersim

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// request is one that is under way.
type request struct {
	began  time.Duration
	shards []shard
	open   int  // shards that are not decided
	lost   int  // shards that nobody answered for
	slow   bool // it waited for a slow call
}

// shard is a request's view of a shard.
type shard struct {
	tried    int // replicas that were asked
	inFlight int
	decided  bool
}

// call is one to a replica.
type call struct {
	req            *request
	shard, replica int
	sent           time.Duration
	slow, failed   bool
}

// simulation is a run of a configuration.
type simulation struct {
	Config
	random  *rand.Rand
	agenda  agenda
	seq     int
	now     time.Duration
	root    cores
	leaves  []cores // by shard × replicas + replica
	hedging hedging
	begun   int
	result  Result
	harvest float64
	slow    int
}

// Run simulates a configuration that Check finds nothing wrong with.
func (c Config) Run() Result {
	c.Replicas = max(c.Replicas, 1)
	s := &simulation{
		Config: c, random: rand.New(rand.NewPCG(c.Seed, 0)), hedging: hedging{quantile: c.Hedge, budget: c.Budget},
		root: make(cores, max(c.Cores, 1)), leaves: make([]cores, c.Leaves*c.Replicas), result: Result{Requests: c.Requests},
	}
	for i := range s.leaves {
		s.leaves[i] = s.root
		if c.Cores == 0 {
			s.leaves[i] = make(cores, 1)
		}
	}
	s.next()
	for len(s.agenda) > 0 {
		e := heap.Pop(&s.agenda).(event)
		s.now = e.at
		s.step(e)
	}
	slices.Sort(s.result.latencies)
	s.result.Slow = float64(s.slow) / float64(c.Requests)
	s.result.Harvest = s.harvest / float64(c.Requests)
	return s.result
}

func (s *simulation) plan(at time.Duration, k kind, r *request, c *call) {
	s.seq++
	heap.Push(&s.agenda, event{at: at, kind: k, seq: s.seq, req: r, call: c})
}

// next lets the next request arrive.
func (s *simulation) next() {
	if s.begun == s.Requests {
		return
	}
	s.begun++
	wait := time.Duration(0)
	if s.Rate > 0 {
		wait = time.Duration(s.random.ExpFloat64() / s.Rate * float64(time.Second))
	}
	s.plan(s.now+wait, arrives, nil, nil)
}

func (s *simulation) step(e event) {
	switch e.kind {
	case arrives:
		s.arrive()
	case scatters:
		s.scatter(e.req)
	case sends:
		s.serve(e.call)
	case answers:
		s.answer(e.call)
	case gathers:
		s.decide(e.req)
	case hedges:
		s.late(e.call)
	}
}

// arrive begins a request.
func (s *simulation) arrive() {
	if s.Rate > 0 {
		s.next()
	}
	r := &request{began: s.now, shards: make([]shard, s.Leaves), open: s.Leaves}
	s.plan(s.root.run(s.now, s.Request), scatters, r, nil)
}

// scatter sends a request to one replica of every shard, each request to another one.
func (s *simulation) scatter(r *request) {
	for i := range s.Leaves {
		s.result.Calls++
		s.hedging.called()
		s.send(r, i)
	}
}

// send asks the next replica of a shard.
func (s *simulation) send(r *request, i int) {
	sh := &r.shards[i]
	c := &call{req: r, shard: i, replica: (s.begun + sh.tried) % s.Replicas}
	sh.tried++
	sh.inFlight++
	c.sent = s.root.run(s.now, s.Gather/2)
	s.plan(c.sent, sends, r, c)
}

// serve lets a leaf work on a call.
func (s *simulation) serve(c *call) {
	done := s.leaves[c.shard*s.Replicas+c.replica].run(s.now, s.Overhead+s.Work/time.Duration(s.Leaves))
	done += s.Wait + time.Duration(s.random.ExpFloat64()*float64(s.Jitter))
	c.slow, c.failed = s.random.Float64() < s.Slow, s.random.Float64() < s.Failure
	if c.slow {
		done += s.SlowBy
	}
	s.plan(done, answers, c.req, c)
	if s.Hedge > 0 && s.hedging.delay > 0 && c.req.shards[c.shard].tried < s.Replicas {
		s.plan(s.now+s.hedging.delay, hedges, c.req, c)
	}
}

// answer takes an answer, or a failure, of a leaf.
func (s *simulation) answer(c *call) {
	s.hedging.answered(s.now - c.sent)
	sh := &c.req.shards[c.shard]
	sh.inFlight--
	switch {
	case sh.decided: // the other replica was first
	case !c.failed:
		sh.decided = true
		c.req.slow = c.req.slow || c.slow
		s.plan(s.root.run(s.now, s.Gather/2), gathers, c.req, nil)
	case sh.tried < s.Replicas:
		s.result.Retries++
		s.send(c.req, c.shard)
	case sh.inFlight == 0:
		sh.decided = true
		c.req.lost++
		s.decide(c.req)
	}
}

// late asks another replica for a call that is not answered yet.
func (s *simulation) late(c *call) {
	sh := &c.req.shards[c.shard]
	if sh.decided || sh.tried == s.Replicas || !s.hedging.spend() {
		return
	}
	s.result.Hedges++
	s.send(c.req, c.shard)
}

// decide counts a shard of a request, and the request with its last one.
func (s *simulation) decide(r *request) {
	if r.open--; r.open > 0 {
		return
	}
	s.result.latencies = append(s.result.latencies, s.now-r.began)
	s.harvest += 1 - float64(r.lost)/float64(s.Leaves)
	if r.lost == 0 {
		s.result.Complete++
	}
	if r.slow {
		s.slow++
	}
	if s.Rate == 0 {
		s.next()
	}
}

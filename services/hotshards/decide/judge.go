package decide

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Judge looks at worlds, one after the other. It is not safe for concurrent use.
type Judge struct {
	policy Policy
	looks  map[string]*looks    // by home
	away   map[string]time.Time // by home: the last look at which none of its replicas was ready
	last   Decision             // that was made
	at     time.Time            // when
}

// looks are how often in a row a condition of a group held.
type looks struct{ hot, cool, warm, cold int }

// New returns a judge who begins as if something had been changed at that time.
func New(p Policy, at time.Time) *Judge {
	return &Judge{policy: p, looks: map[string]*looks{}, away: map[string]time.Time{}, at: at}
}

// Made tells the judge that a decision was carried out at that time, or has failed: both are followed by a rest.
func (j *Judge) Made(d Decision, at time.Time) { j.last, j.at = d, at }

// Blind tells the judge that a look was not possible. Looks in a row begin anew: who
// saw nothing does not know that a condition has held.
func (j *Judge) Blind() { clear(j.looks) }

// Look counts what holds in a world and says what should be changed.
func (j *Judge) Look(w World) Verdict {
	j.mark(&w)
	v := Verdict{At: w.At, Groups: groups(w, j.policy)}
	j.count(w, v.Groups)
	r := round{Judge: j, world: w, groups: v.Groups}
	for i := range v.Groups {
		r.parting(&v.Groups[i])
	}
	for i := range v.Groups {
		r.growing(&v.Groups[i])
	}
	need := slices.ContainsFunc(r.found, func(d Decision) bool { return !d.blocked })
	r.retiring()
	for i := range v.Groups {
		r.shrinking(&v.Groups[i])
	}
	r.joining()
	for i := range r.found {
		if d := &r.found[i]; need && (d.Kind == Shrink || d.Kind == Join) {
			d.Waits = append(d.Waits, "another shard is in need")
		}
	}
	v.Candidates = r.found
	return v
}

// mark says of each shard whether its load can be compared.
func (j *Judge) mark(w *World) {
	w.Shards = slices.Clone(w.Shards) // they are the caller's
	for i := range w.Shards {
		if home := &w.Shards[i]; home.Ready == 0 {
			j.away[home.Name] = w.At
		}
	}
	for i := range w.Shards {
		s := &w.Shards[i]
		last, was := j.away[s.Host]
		s.down = was && w.At.Sub(last) <= w.Window
	}
}

// count updates how long each condition has held. Those of groups that are changing are not known.
func (j *Judge) count(w World, all []Group) {
	fresh := map[string]*looks{}
	for i := range all {
		g := &all[i]
		n := j.looks[g.Home]
		if n == nil {
			n = &looks{}
		}
		fresh[g.Home] = n
		tick(&n.hot, g.settled && !g.alone && j.hot(w, g))
		tick(&n.cool, g.settled && j.spare(g))
		tick(&n.warm, g.stranded() || g.settled && g.shared() && g.ColdRatio >= j.policy.Part)
		tick(&n.cold, g.settled && !g.shared() && g.ColdRatio <= j.policy.Cold)
		g.HotLooks, g.CoolLooks, g.WarmLooks, g.ColdLooks = n.hot, n.cool, n.warm, n.cold
	}
	j.looks = fresh
}

func tick(n *int, holds bool) {
	if !holds {
		*n = 0
		return
	}
	*n = min(*n+1, 1<<20)
}

// hot tells whether a group has too much. Latencies that were measured before the last change say nothing of the time after it.
func (j *Judge) hot(w World, g *Group) bool {
	return g.Ratio >= j.policy.Hot || g.Ratio >= j.policy.warm() && g.late(j.policy) && w.At.Sub(j.at) >= w.Window
}

// spare tells whether a group would do with a replica less. One with guests must stay as cold as one must
// be to get a guest: otherwise the guest would go home for the want of that replica.
func (j *Judge) spare(g *Group) bool {
	bound := j.policy.Cool * g.Level
	if g.shared() {
		bound = j.policy.Cold * g.Others
	}
	return g.Replicas > 1 && g.Rate/float64(g.Replicas-1) <= bound && !g.late(j.policy)
}

// A round collects candidates.
type round struct {
	*Judge
	world  World
	groups []Group
	found  []Decision
}

// add completes a candidate: how it is with its looks, the rest and the budget.
func (r *round) add(d Decision, g *Group, looks, wanted int, rest time.Duration) {
	d.Numbers = Numbers{Rate: g.Rate, PerReplica: g.PerReplica, Level: g.Level, Ratio: g.Ratio, P99: g.P99.Seconds(), OthersP99: g.OthersP99.Seconds(),
		Looks: looks, Replicas: r.world.Replicas(), Budget: r.policy.Budget}
	if looks < wanted {
		d.Waits = append(d.Waits, fmt.Sprintf("so for %d of %d looks", looks, wanted))
	}
	if left := rest - r.world.At.Sub(r.at); left > 0 {
		d.Waits = append(d.Waits, fmt.Sprintf("the last change was less than %s ago", rest))
	}
	if r.world.Busy != "" {
		d.Waits = append(d.Waits, r.world.Busy)
	}
	if !d.Kind.adds() {
		r.quiet(&d)
	}
	r.found = append(r.found, d)
}

// quiet lets whatever takes something away wait until nothing is changing anywhere.
func (r *round) quiet(d *Decision) {
	for i := range r.world.Shards {
		s := &r.world.Shards[i]
		switch {
		case s.Ready != s.Want:
			d.Waits = append(d.Waits, fmt.Sprintf("%d of %d replicas of shard %s are ready", s.Ready, s.Want, s.Name))
		case s.Unsettled:
			d.Waits = append(d.Waits, fmt.Sprintf("the move of shard %s is not through", s.Name))
		}
	}
}

// afford bounds the replicas that are added by the budget.
func (r *round) afford(d *Decision) {
	left := max(r.policy.Budget-r.world.Replicas(), 0)
	if d.To-d.From <= left {
		return
	}
	if left > 0 && d.Kind == Grow {
		d.To = d.From + left
		d.Reasons = append(d.Reasons, fmt.Sprintf("the budget of %d replicas leaves no more", r.policy.Budget))
		return
	}
	d.blocked = true
	d.Waits = append(d.Waits, fmt.Sprintf("%d of the budget of %d replicas are in use", r.world.Replicas(), r.policy.Budget))
}

// parting sends guests home whose group has become warm, or has nobody who serves it: the one with the most requests first.
func (r *round) parting(g *Group) {
	n := r.looks[g.Home].warm
	if n == 0 {
		return
	}
	guest := r.busiestGuest(g)
	if guest == nil {
		return
	}
	why := []string{fmt.Sprintf("%s share %d replicas, each of which gets %s/s: %.2f times what the others' get, %s/s; from %.2f on they part",
		strings.Join(g.Shards, " and "), g.Replicas, number(g.PerReplica), g.ColdRatio, number(g.Others), r.policy.Part)}
	if g.stranded() {
		why = []string{fmt.Sprintf("none of the replicas of %s, which serve it, is ready", g.Home)}
	}
	if guest.Want < guest.Min {
		d := Decision{Kind: Prepare, Shard: guest.Name, From: guest.Want, To: guest.Min, Reasons: append(why, "its home needs replicas before it moves there")}
		r.afford(&d)
		r.add(d, g, n, r.policy.HotLooks, r.policy.GrowRest)
		return
	}
	d := Decision{Kind: Part, Shard: guest.Name, Host: guest.Name, OldHost: g.Home, Reasons: why}
	if guest.Ready < guest.Min {
		d.Waits = append(d.Waits, fmt.Sprintf("%d of %d replicas of its home are ready", guest.Ready, guest.Min))
	}
	rest := r.policy.GrowRest
	if r.last.Kind == Prepare && r.last.Shard == guest.Name {
		rest = 0 // the second half of one change
	}
	r.add(d, g, n, r.policy.HotLooks, rest)
}

func (r *round) busiestGuest(g *Group) *Shard {
	var busiest *Shard
	for i := range r.world.Shards {
		s := &r.world.Shards[i]
		if s.Host == g.Home && s.Name != g.Home && (busiest == nil || s.Rate > busiest.Rate) {
			busiest = s
		}
	}
	return busiest
}

// growing gives more replicas to who is hot, or has fewer than its least.
func (r *round) growing(g *Group) {
	home := g.home
	if home.Want < home.Min {
		d := Decision{Kind: Grow, Shard: g.Home, From: home.Want, To: home.Min, Reasons: []string{fmt.Sprintf("it has fewer replicas than its least, %d", home.Min)}}
		r.afford(&d)
		r.add(d, g, 0, 0, r.policy.GrowRest)
		return
	}
	n := r.looks[g.Home].hot
	if n == 0 || g.shared() && r.busiestGuest(g) != nil {
		return // its guests go first
	}
	most := min(home.Max, home.Want+r.policy.Step)
	d := Decision{Kind: Grow, Shard: g.Home, From: home.Want, To: min(max(need(g, r.policy), home.Want+1), most), Reasons: r.why(g)}
	if home.Want >= home.Max {
		d.To, d.blocked = d.From, true
		d.Waits = append(d.Waits, fmt.Sprintf("%d replicas are the most that it may have", home.Max))
	} else {
		r.afford(&d)
	}
	r.add(d, g, n, r.policy.HotLooks, r.policy.GrowRest)
}

// need is the number of replicas with which a group is no more than cool.
func need(g *Group, p Policy) int {
	return int(math.Ceil(min(g.Rate/(p.Cool*g.Level), 1<<20)))
}

func (r *round) why(g *Group) []string {
	why := []string{fmt.Sprintf("each of its %d replicas gets %s/s, %.2f times the level of %s/s", g.Replicas, number(g.PerReplica), g.Ratio, number(g.Level))}
	if g.Ratio >= r.policy.Hot {
		return append(why, fmt.Sprintf("hot is %.2f times", r.policy.Hot))
	}
	return append(why, fmt.Sprintf("its 99th percentile is %s, that of the others %s: late is %.2f times", g.P99, g.OthersP99, r.policy.Late))
}

// retiring takes replicas from homes that serve nobody.
func (r *round) retiring() {
	for i := range r.world.Shards {
		s := &r.world.Shards[i]
		at := slices.IndexFunc(r.groups, func(g Group) bool { return slices.Contains(g.Shards, s.Name) })
		serves := slices.ContainsFunc(r.groups, func(g Group) bool { return g.Home == s.Name })
		if serves || at < 0 || s.Want <= r.policy.Idle || r.looks[r.groups[at].Home].warm > 0 {
			continue
		}
		d := Decision{Kind: Retire, Shard: s.Name, From: s.Want, To: r.policy.Idle,
			Reasons: []string{fmt.Sprintf("the replicas of %s serve it, and nobody is served by its own", s.Host)}}
		r.add(d, &r.groups[at], 0, 0, r.policy.GrowRest)
	}
}

// shrinking takes a replica from who would do without it, or has more than its most.
func (r *round) shrinking(g *Group) {
	home := g.home
	if home.Want > home.Max {
		d := Decision{Kind: Shrink, Shard: g.Home, From: home.Want, To: home.Max, Reasons: []string{fmt.Sprintf("it has more replicas than its most, %d", home.Max)}}
		r.add(d, g, 0, 0, r.policy.CoolRest)
		return
	}
	n := r.looks[g.Home].cool
	if n == 0 || home.Want <= home.Min {
		return
	}
	without := g.Rate / float64(g.Replicas-1)
	d := Decision{Kind: Shrink, Shard: g.Home, From: home.Want, To: home.Want - 1, Reasons: []string{fmt.Sprintf(
		"with one replica less each would get %s/s, %.2f times the level of %s/s", number(without), ratio(without, g.Level), number(g.Level))}}
	r.add(d, g, n, r.policy.ColdLooks, r.policy.CoolRest)
}

// joining lets the coldest two shards share the replicas of the warmer one, whose keys are there already.
func (r *round) joining() {
	var cold []*Group
	for i := range r.groups {
		g := &r.groups[i]
		if r.looks[g.Home].cold > 0 && g.home.Want == g.home.Min {
			cold = append(cold, g)
		}
	}
	if !r.policy.Share || len(cold) < 2 {
		return
	}
	slices.SortStableFunc(cold, func(a, b *Group) int { return sign(a.Rate - b.Rate) })
	guest, host := cold[0], cold[1]
	if guest.home.Want <= r.policy.Idle {
		return // nothing would be won
	}
	both := (guest.Rate + host.Rate) / float64(host.Replicas)
	others, _ := level(r.world, r.policy, now, guest.Home, host.Home)
	if both > r.policy.Cold*others {
		return
	}
	d := Decision{Kind: Join, Shard: guest.Home, Host: host.Home, OldHost: guest.Home, Reasons: []string{fmt.Sprintf(
		"together with %s each replica there would get %s/s, %.2f times what the others' get, %s/s; up to %.2f is cold", host.Home, number(both), ratio(both, others), number(others), r.policy.Cold)}}
	r.add(d, guest, min(r.looks[guest.Home].cold, r.looks[host.Home].cold), r.policy.ColdLooks, r.policy.CoolRest)
}

func sign(f float64) int {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// number writes a rate for people.
func number(f float64) string {
	if f >= 100 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

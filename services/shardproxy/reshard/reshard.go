// Package reshard says what a new layout would move before it is put to work: how many
// keys, from which shard to which.
//
// It counts twice. Synthetic keys, many and always the same, show what the functions do.
// Keys that were seen lately, where there are some, show what it means for the traffic of
// now: keys that move are misses of a cache, or sessions that have to be built up again.
package reshard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
	"github.com/flotilla-dev/flotilla/services/shardproxy/recent"
)

// Synthetic is how many synthetic keys a plan places.
const Synthetic = 100_000

// A Plan is what would happen.
type Plan struct {
	From      Side     `json:"from"`
	To        Side     `json:"to"`
	Notes     []string `json:"notes"`
	Synthetic Count    `json:"synthetic_keys"`
	Recent    *Count   `json:"recent_keys"` // null: none were seen, or they cannot be placed anew
	Given     *Count   `json:"given_keys,omitempty"`
	Applied   bool     `json:"applied"`
}

// A Side is one of the layouts, in short.
type Side struct {
	Key      string  `json:"key"`
	Function string  `json:"function"`
	Bounded  float64 `json:"bounded_load"`
	Shards   int     `json:"shards"`
	Draining int     `json:"draining"`
}

// A Count is of one kind of keys.
type Count struct {
	Keys          int     `json:"keys"` // that were placed
	StandFor      float64 `json:"stand_for"`
	Moved         int     `json:"moved"`
	MovedShare    float64 `json:"moved_share"`
	RequestsShare float64 `json:"requests_moved_share"` // of the requests for these keys, that of those that move
	// Needless are the keys that move between two shards that are there before and
	// after, with the same weight.
	Needless int     `json:"moved_needlessly"`
	Moves    []Move  `json:"moves"`
	Shares   []Share `json:"shares"`
}

// A Move is a number of keys that go from one shard to another.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
	Keys int    `json:"keys"`
}

// A Share is the part of the keys that a shard has.
type Share struct {
	Shard  string  `json:"shard"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Make compares two layouts. seen are keys that were seen lately, each of which stands for
// a number of them; there may be none.
func Make(from, to *layout.Placement, seen []recent.Key, each float64) *Plan {
	p := &Plan{From: side(from), To: side(to), Notes: notes(from, to)}
	c := newCounter(from, to, 1)
	for i := range Synthetic {
		c.add(layout.Of(strconv.AppendInt([]byte("/synthetic/"), int64(i), 10)), 1)
	}
	p.Synthetic = c.count()
	if len(seen) > 0 && from.Key.String() == to.Key.String() {
		c := newCounter(from, to, each)
		for _, k := range seen {
			c.add(k.Hash, k.Requests)
		}
		count := c.count()
		p.Recent = &count
	}
	return p
}

// OfKeys compares two layouts by given keys, beside the synthetic ones. each calls add for
// every key; its error is returned.
func OfKeys(from, to *layout.Placement, each func(add func(key []byte)) error) (*Plan, error) {
	p := Make(from, to, nil, 1)
	c := newCounter(from, to, 1)
	if err := each(func(key []byte) { c.add(layout.Of(key), 1) }); err != nil {
		return nil, err
	}
	count := c.count()
	p.Given = &count
	return p, nil
}

func side(p *layout.Placement) Side {
	s := Side{Key: p.Key.String(), Function: p.Function, Bounded: p.Bounded, Shards: len(p.Shards)}
	for _, shard := range p.Shards {
		if shard.Draining {
			s.Draining++
		}
	}
	return s
}

// notes say what numbers cannot.
func notes(from, to *layout.Placement) []string {
	notes := []string{}
	if a, b := from.Key.String(), to.Key.String(); a != b {
		notes = append(notes, fmt.Sprintf("keys are made in another way, %s in place of %s: no key of today says where one of tomorrow lies, so expect that all move", b, a))
	}
	if from.Function != to.Function {
		notes = append(notes, fmt.Sprintf("another function, %s in place of %s: nearly all keys move", to.Function, from.Function))
	}
	if from.Bounds() || to.Bounds() {
		notes = append(notes, "loads are bounded: while they are uneven, some keys are served elsewhere than is said here")
	}
	before := byName(from)
	after := byName(to)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		b, there := after[name]
		a := before[name]
		switch {
		case !there:
			notes = append(notes, fmt.Sprintf("shard %s leaves", name))
		case a.Draining != b.Draining && b.Draining:
			notes = append(notes, fmt.Sprintf("shard %s drains: requests in progress end there, new ones go elsewhere", name))
		case a.Draining != b.Draining:
			notes = append(notes, fmt.Sprintf("shard %s is active again", name))
		}
		if there && a.Weight != b.Weight {
			notes = append(notes, fmt.Sprintf("shard %s: weight %d in place of %d", name, b.Weight, a.Weight))
		}
		if there && a.Replicas != b.Replicas {
			notes = append(notes, fmt.Sprintf("shard %s: other replicas", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			notes = append(notes, fmt.Sprintf("shard %s joins", name))
		}
	}
	return notes
}

func byName(p *layout.Placement) map[string]layout.Shard {
	all := make(map[string]layout.Shard, len(p.Shards))
	for _, s := range p.Shards {
		all[s.Name] = s
	}
	return all
}

// A counter adds keys up.
type counter struct {
	from, to      *layout.Placement
	index         map[string]int // of to, by name
	stays, stayed []bool         // of from and of to: there before and after, alike
	n             Count
	requests      uint64
	moved         uint64
	moves         map[[2]int]int
	before, after []int
}

func newCounter(from, to *layout.Placement, each float64) *counter {
	c := &counter{from: from, to: to, index: map[string]int{}, moves: map[[2]int]int{},
		stays: make([]bool, len(from.Shards)), stayed: make([]bool, len(to.Shards)),
		before: make([]int, len(from.Shards)), after: make([]int, len(to.Shards)), n: Count{StandFor: each}}
	for i, s := range to.Shards {
		c.index[s.Name] = i
	}
	for i, s := range from.Shards {
		if at, there := c.index[s.Name]; there && to.Shards[at].Weight == s.Weight && to.Shards[at].Draining == s.Draining {
			c.stays[i], c.stayed[at] = true, true
		}
	}
	return c
}

func (c *counter) add(h layout.Hash, requests uint64) {
	a, b := c.from.Home(h), c.to.Home(h)
	c.n.Keys++
	c.requests += requests
	c.before[a]++
	c.after[b]++
	if c.from.Shards[a].Name == c.to.Shards[b].Name {
		return
	}
	c.n.Moved++
	c.moved += requests
	c.moves[[2]int{a, b}]++
	if c.stays[a] && c.stayed[b] {
		c.n.Needless++
	}
}

// maxMoves bounds what a plan lists: with many shards most pairs say nothing more.
const maxMoves = 200

func (c *counter) count() Count {
	n := c.n
	n.MovedShare = float64(n.Moved) / float64(max(n.Keys, 1))
	n.RequestsShare = float64(c.moved) / float64(max(c.requests, 1))
	n.Moves = make([]Move, 0, len(c.moves))
	for pair, keys := range c.moves {
		n.Moves = append(n.Moves, Move{c.from.Shards[pair[0]].Name, c.to.Shards[pair[1]].Name, keys})
	}
	slices.SortFunc(n.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Keys, a.Keys), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	n.Moves = n.Moves[:min(len(n.Moves), maxMoves)]
	n.Shares = c.shares()
	return n
}

func (c *counter) shares() []Share {
	keys := float64(max(c.n.Keys, 1))
	shares := make([]Share, 0, len(c.from.Shards)+1)
	listed := map[string]bool{}
	for i, s := range c.from.Shards {
		share := Share{Shard: s.Name, Before: float64(c.before[i]) / keys}
		if at, there := c.index[s.Name]; there {
			share.After = float64(c.after[at]) / keys
		}
		listed[s.Name] = true
		shares = append(shares, share)
	}
	for i, s := range c.to.Shards {
		if !listed[s.Name] {
			shares = append(shares, Share{Shard: s.Name, After: float64(c.after[i]) / keys})
		}
	}
	return shares
}

package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/merge"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// A searching is one search in the making, over the shards that take part in it.
type searching struct {
	*engine
	table   *table
	request *request
	parts   []*part
	plan    wire.Plan
	hedged  int
}

// A part is what a shard has to do with a search.
type part struct {
	number  int
	shard   *shard
	epoch   int64          // at which it is asked in the second phase
	missing scatter.Reason // "": not missing
	gone    bool           // its replicas do not keep the epoch any more
	ended   bool           // its log has ended, which the root has not heard of
}

// leftOut is why a shard is not asked for a later page; see merge.LeftOut.
const leftOut scatter.Reason = "left-out"

// engine is what searches are made with.
type engine struct {
	leaves  *leaves
	scatter *scatter.Scatterer
	kinds   kinds
}

// kinds of calls: their latencies are of different sizes.
type kinds struct{ statistics, search, terms, documents, document, explain, suggest, status *scatter.Kind }

func (k *kinds) all() []*scatter.Kind {
	return []*scatter.Kind{k.statistics, k.search, k.terms, k.documents, k.document, k.explain, k.suggest, k.status}
}

func newEngine(l *leaves, s *scatter.Scatterer) *engine {
	return &engine{leaves: l, scatter: s, kinds: kinds{statistics: s.Kind("statistics"), search: s.Kind("search"), terms: s.Kind("terms"),
		documents: s.Kind("documents"), document: s.Kind("document"), explain: s.Kind("explain"), suggest: s.Kind("suggest"), status: s.Kind("status")}}
}

func (e *engine) begin(t *table, r *request) *searching {
	s := &searching{engine: e, table: t, request: r}
	for i, shard := range t.shards {
		p := &part{number: i, shard: shard, epoch: wire.Latest}
		if r.cursor != nil {
			if p.epoch = r.cursor.Epochs[i]; p.epoch == merge.LeftOut {
				p.missing = leftOut
			}
		}
		s.parts = append(s.parts, p)
	}
	return s
}

// asked are the parts that are not missing.
func (s *searching) asked() (parts []*part, shards []scatter.Shard) {
	for _, p := range s.parts {
		if p.missing == "" {
			parts, shards = append(parts, p), append(shards, p.shard.asked())
		}
	}
	return parts, shards
}

// note keeps why parts are missing, and how many calls were hedged.
func note[A any](s *searching, parts []*part, g scatter.Gathered[A]) {
	s.hedged += g.Hedged()
	for i := range g {
		if g[i].Missing != "" {
			parts[i].missing, parts[i].gone, parts[i].ended = g[i].Missing, errors.Is(g[i].Err, errGone), errors.Is(g[i].Err, errEnded)
		}
	}
}

// statistics is the first phase: what the query needs to know of all shards. It gets half of the time, so that a shard that hangs
// leaves the other half for those that do not.
func (s *searching) statistics(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	parts, shards := s.asked()
	asked := make([]wire.StatisticsRequest, len(parts)) // made before: a call that lost may read its own while parts change
	for i, p := range parts {
		asked[i] = wire.StatisticsRequest{Query: s.request.node, Epoch: p.epoch, Least: s.request.least[p.number]}
		shards[i].Waits = asked[i].Least > 0
	}
	g := scatter.Gather(ctx, s.kinds.statistics, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.Statistics, err error) {
		if err := s.leaves.post(ctx, replica, "/v1/statistics", asked[i], &a); err != nil {
			return a, err
		}
		return a, checkStatistics(&asked[i], &a)
	})
	note(s, parts, g)
	var known []wire.Statistics
	for i, p := range parts {
		if p.missing == "" {
			p.epoch = g[i].Value.Epoch
			p.shard.documents.Store(g[i].Value.Documents)
			known = append(known, g[i].Value)
		}
	}
	if err := s.enough(); err != nil {
		return err
	}
	var err error
	s.plan, err = index.Sum(s.request.node, known)
	return s.request.tooManyWords(err)
}

// tooManyWords says where the prefix or the fuzzy word stands that leads to too many.
func (r *request) tooManyWords(err error) error {
	var many *index.TooManyWordsError
	if errors.As(err, &many) {
		return problem.New(http.StatusBadRequest, "query-invalid", many.Error()).With("column", r.columns[many.Place])
	}
	return err
}

// checkStatistics refuses what is no answer to what was asked.
func checkStatistics(asked *wire.StatisticsRequest, a *wire.Statistics) error {
	switch {
	case a.Epoch < asked.Least || asked.Epoch != wire.Latest && a.Epoch != asked.Epoch:
		return nonsense(fmt.Errorf("statistics of epoch %d in place of %d, at least %d", a.Epoch, asked.Epoch, asked.Least))
	case len(a.Nodes) != len(asked.Query.Scoring()) || a.Documents < 0:
		return nonsense(fmt.Errorf("statistics of %d nodes, %d documents", len(a.Nodes), a.Documents))
	}
	return nil
}

// hits is the second phase: the best hits of all shards, scored with the same statistics.
func (s *searching) hits(ctx context.Context) ([]merge.Merged, *Answer, error) {
	parts, shards := s.asked()
	asked := make([]wire.SearchRequest, len(parts))
	for i, p := range parts {
		asked[i] = wire.SearchRequest{Epoch: p.epoch, Plan: s.plan, Limit: s.request.limit + 1, Facets: s.request.facets}
		if s.request.cursor != nil {
			asked[i].After = &s.request.cursor.After
		}
	}
	g := scatter.Gather(ctx, s.kinds.search, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.SearchAnswer, err error) {
		if err := s.leaves.post(ctx, replica, "/v1/search", asked[i], &a); err != nil {
			return a, err
		}
		return a, checkHits(&asked[i], &a)
	})
	note(s, parts, g)
	if err := s.enough(); err != nil {
		return nil, nil, err
	}
	answer := &Answer{}
	lists := make([][]wire.Hit, len(s.parts))
	for i, p := range parts {
		if p.missing != "" {
			continue
		}
		lists[p.number] = g[i].Value.Hits
		answer.Total += g[i].Value.Total
		p.shard.documents.Store(g[i].Value.Documents)
		addFacets(&answer.Facets, s.request.facets, g[i].Value.Facets)
	}
	return merge.Hits(lists, s.request.limit+1), answer, nil
}

// checkHits refuses what cannot be merged: one list in a wrong order would spoil the whole.
func checkHits(asked *wire.SearchRequest, a *wire.SearchAnswer) error {
	behind := len(a.Hits) == 0 || asked.After == nil || merge.Compare(*asked.After, merge.Place(&a.Hits[0])) < 0
	if a.Epoch != asked.Epoch || len(a.Hits) > asked.Limit || a.Total < int64(len(a.Hits)) || !behind || !merge.Sorted(a.Hits) {
		return nonsense(fmt.Errorf("hits of epoch %d in place of %d: %d, of %d at most, or not sorted", a.Epoch, asked.Epoch, len(a.Hits), asked.Limit))
	}
	return nil
}

// mostValues bounds the values of a facet in an answer: a label may have another one in each document.
const mostValues = 100

func addFacets(to *map[string]map[string]int, asked []string, more map[string]map[string]int) {
	for _, name := range asked {
		if *to == nil {
			*to = map[string]map[string]int{}
		}
		if (*to)[name] == nil {
			(*to)[name] = map[string]int{}
		}
		for value, n := range more[name] {
			(*to)[name][value] += n
		}
	}
}

// documents searches shards that have a part of the documents each.
func (e *engine) documents(ctx context.Context, t *table, r *request) (*Answer, error) {
	began := time.Now()
	s := e.begin(t, r)
	if err := s.statistics(ctx); err != nil {
		return nil, err
	}
	guess := s.suggest(ctx) // while the second phase goes on
	hits, answer, err := s.hits(ctx)
	suggestion := guess()
	if err != nil {
		return nil, err
	}
	answer.Suggestion = suggestion
	s.finish(answer, hits)
	if r.explain {
		s.explainAll(ctx, answer)
	}
	answer.Hedged, answer.TookMS = s.hedged, milliseconds(time.Since(began))
	return answer, nil
}

// finish fills in what is alike in both distributions. hits may be one more than was asked for: then there is a next page.
func (s *searching) finish(answer *Answer, hits []merge.Merged) {
	answer.Query = s.request.node.String()
	answer.Harvest = s.harvest()
	answer.Epochs, answer.Layout = map[string]int64{}, s.table.layout.Topic
	cursor := merge.Cursor{Epochs: make([]int64, len(s.parts))}
	for i, p := range s.parts {
		cursor.Epochs[i] = p.epoch
		if p.missing != "" && p.epoch == wire.Latest {
			cursor.Epochs[i] = merge.LeftOut
		}
		if p.missing == "" {
			answer.Epochs[p.shard.name] = p.epoch
		}
	}
	more := len(hits) > s.request.limit
	answer.Hits = []Hit{}
	for _, m := range hits[:min(len(hits), s.request.limit)] {
		answer.Hits = append(answer.Hits, shown(&m))
	}
	if more {
		cursor.After = merge.Place(&hits[s.request.limit-1].Hit)
		answer.Next = cursor.String(s.request.of)
	}
	for name, values := range answer.Facets {
		answer.Facets[name] = most(values, mostValues)
	}
}

func shown(m *merge.Merged) Hit {
	return Hit{ID: m.ID, Score: math.Float64frombits(m.Bits), Title: joined(m.Title), TitlePieces: m.Title, Snippet: m.Snippet, Labels: m.Labels, Shard: m.List}
}

func joined(pieces []wire.Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// harvest is how much of the whole was searched. Of a shard that nobody has heard of yet it is taken that it has as many documents as the
// others have in the mean.
func (s *searching) harvest() Harvest {
	h := Harvest{Shards: len(s.parts), Missing: []Missing{}}
	var searched, lost, known, strangers int64
	for _, p := range s.parts {
		n := p.shard.documents.Load()
		switch {
		case p.missing == "":
			h.Answered++
			searched += n
		case n == unknown:
			strangers++
		default:
			lost += n
		}
		if n != unknown {
			known++
		}
		if p.missing != "" {
			h.Missing = append(h.Missing, Missing{p.number, string(p.missing)})
		}
	}
	all := float64(searched + lost)
	if known > 0 {
		all += float64(strangers) * all / float64(known)
	}
	switch {
	case h.Answered == h.Shards:
		h.Documents = 1
	case all > 0:
		h.Documents = float64(searched) / all
	default:
		h.Documents = float64(h.Answered) / float64(h.Shards)
	}
	return h
}

// enough tells whether what has answered is an answer. It is none when nothing is left, when all is asked for and a part is missing, and
// when a shard of the first page is missing in the first phase: its statistics are in the scores, so that the pages would not fit
// together.
func (s *searching) enough() error {
	answered, lost := 0, 0
	for _, p := range s.parts {
		switch {
		case p.missing == "":
			answered++
		case p.ended:
			return layoutEnded()
		case p.gone && s.request.cursor != nil:
			return problem.New(http.StatusGone, "cursor-expired", "the first page was made too long ago: its state is not kept any more; begin again without after")
		case p.missing != leftOut:
			lost++
		}
	}
	joined := s.request.cursor != nil && s.plan.Query == nil
	if answered == 0 || joined && lost > 0 || s.request.all && answered < len(s.parts) {
		h := s.harvest()
		return problem.New(http.StatusServiceUnavailable, "incomplete", incomplete(h)).Retry(time.Second).With("harvest", h)
	}
	return nil
}

func incomplete(h Harvest) string {
	var names []string
	for _, m := range h.Missing {
		names = append(names, strconv.Itoa(m.Shard)+" ("+m.Reason+")")
	}
	return fmt.Sprintf("of %d shards these gave no answer: %s", h.Shards, strings.Join(names, ", "))
}

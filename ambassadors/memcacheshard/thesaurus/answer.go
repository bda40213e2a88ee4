package thesaurus

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/dictionary"
)

// thesaurus answers requests.
type thesaurus struct {
	words   *dictionary.Client
	cache   *memcache.Client
	ttl     time.Duration
	breadth int
	log     *slog.Logger
	counts  *counts
}

// The outcomes of asking the cache.
const (
	hit         = "hit"
	miss        = "miss"
	unavailable = "unavailable"
)

// counts are the requests by what the cache had to say.
type counts struct {
	metric                   *prometheus.CounterVec
	hits, misses, unanswered atomic.Uint64
}

func newCounts(r prometheus.Registerer) *counts {
	c := &counts{metric: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "thesaurus_requests_total", Help: "Words that were asked for, by what the cache had to say: hit, miss, unavailable.",
	}, []string{"cache"})}
	for _, outcome := range []string{hit, miss, unavailable} {
		c.metric.WithLabelValues(outcome)
	}
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "thesaurus_hit_ratio", Help: "Hits of all requests since the start, 0 to 1.",
	}, func() float64 { return c.stats().HitRate })
	return c
}

func (c *counts) count(outcome string) {
	c.metric.WithLabelValues(outcome).Inc()
	switch outcome {
	case hit:
		c.hits.Add(1)
	case miss:
		c.misses.Add(1)
	default:
		c.unanswered.Add(1)
	}
}

// Stats is what happened since the start.
type Stats struct {
	Hits               uint64  `json:"hits"`
	Misses             uint64  `json:"misses"`
	Unavailable        uint64  `json:"unavailable"`
	HitRate            float64 `json:"hit_rate"`            // hits of all, 0 to 1
	DictionaryRequests uint64  `json:"dictionary_requests"` // repeated ones included
}

func (c *counts) stats() Stats {
	s := Stats{Hits: c.hits.Load(), Misses: c.misses.Load(), Unavailable: c.unanswered.Load()}
	if all := s.Hits + s.Misses + s.Unavailable; all > 0 {
		s.HitRate = float64(s.Hits) / float64(all)
	}
	return s
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, t *thesaurus) {
	e.GET("/v1/related/:word", func(c echo.Context) error { return t.answer(c, api.Param(c, "word")) })
	e.GET("/v1/stats", func(c echo.Context) error {
		s := t.counts.stats()
		s.DictionaryRequests = t.words.Requests()
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.JSON(http.StatusOK, s)
	})
}

// Answer is what is related to a word, and where that is known from.
type Answer struct {
	Word    string          `json:"word"`
	Cache   string          `json:"cache"`   // hit, miss or unavailable
	Took    float64         `json:"took_ms"` // milliseconds
	Related json.RawMessage `json:"related"`
}

func (t *thesaurus) answer(c echo.Context, asked string) error {
	word, err := dictionary.Spell(asked)
	if err != nil {
		return err
	}
	began := time.Now()
	list, outcome, err := t.find(c.Request().Context(), word)
	t.counts.count(outcome)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store") // took_ms is of this request
	return c.JSON(http.StatusOK, Answer{Word: word, Cache: outcome, Took: float64(time.Since(began).Microseconds()) / 1000, Related: list})
}

// find is cache-aside: ask the cache; on a miss ask the dictionary, and tell the
// cache. A failure is never kept.
func (t *thesaurus) find(ctx context.Context, word string) (list []byte, outcome string, err error) {
	key := "related:" + word // without spaces and control characters, as memcached wants it
	item, err := t.cache.Get(key)
	switch {
	case err == nil && json.Valid(item.Value):
		return item.Value, hit, nil
	case err == nil, errors.Is(err, memcache.ErrCacheMiss):
		outcome = miss
	default:
		outcome = unavailable
		t.log.DebugContext(ctx, "the cache did not answer", "error", err)
	}
	words, err := related(ctx, t.words, word, t.breadth)
	if err != nil {
		return nil, outcome, err
	}
	if list, err = json.Marshal(words); err != nil {
		return nil, outcome, err
	}
	if outcome == miss {
		if err := t.cache.Set(&memcache.Item{Key: key, Value: list, Expiration: int32(t.ttl / time.Second)}); err != nil {
			t.log.DebugContext(ctx, "the cache did not take an answer", "error", err)
		}
	}
	return list, outcome, nil
}

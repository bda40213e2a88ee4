package lookups

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/dictionary"
)

// lookups answers requests.
type lookups struct {
	redis      *redis.Client
	ttl        time.Duration
	dictionary *dictionary.Client
	counts     *prometheus.CounterVec
	log        *slog.Logger
}

// The outcomes of asking the cache.
const (
	hit         = "hit"
	miss        = "miss"
	unavailable = "unavailable"
)

func newCounts(r prometheus.Registerer) *prometheus.CounterVec {
	counts := promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: "lookups_total", Help: "Words that were looked up, by what the cache had to say: hit, miss, unavailable."}, []string{"cache"})
	for _, outcome := range []string{hit, miss, unavailable} {
		counts.WithLabelValues(outcome)
	}
	return counts
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, l *lookups) {
	e.GET("/v1/lookups/:word", func(c echo.Context) error { return l.answer(c, api.Param(c, "word")) })
}

// Answer is what is known of a word, and where from.
type Answer struct {
	Word  string          `json:"word"`
	Cache string          `json:"cache"`   // hit, miss or unavailable
	Took  float64         `json:"took_ms"` // milliseconds
	Entry json.RawMessage `json:"entry"`   // of the dictionary
}

func (l *lookups) answer(c echo.Context, asked string) error {
	word, err := dictionary.Spell(asked)
	if err != nil {
		return err
	}
	began := time.Now()
	entry, outcome, err := l.look(c.Request().Context(), word)
	l.counts.WithLabelValues(outcome).Inc()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store") // took_ms is of this request
	return c.JSON(http.StatusOK, Answer{Word: word, Cache: outcome, Took: float64(time.Since(began).Microseconds()) / 1000, Entry: entry})
}

// look is cache-aside: ask the cache; on a miss ask the dictionary, and tell the
// cache.
func (l *lookups) look(ctx context.Context, word string) (entry []byte, outcome string, err error) {
	key := "lookups:" + word
	entry, err = l.redis.Get(ctx, key).Bytes()
	switch {
	case err == nil:
		return entry, hit, nil
	case errors.Is(err, redis.Nil):
		outcome = miss
	default:
		outcome = unavailable
		l.log.DebugContext(ctx, "the cache did not answer", "error", err)
	}
	entry, err = l.dictionary.Entry(ctx, word)
	if err != nil {
		return nil, outcome, err
	}
	if outcome == miss {
		if err := l.redis.Set(ctx, key, entry, l.ttl).Err(); err != nil {
			l.log.DebugContext(ctx, "the cache did not take an answer", "error", err)
		}
	}
	return entry, outcome, nil
}

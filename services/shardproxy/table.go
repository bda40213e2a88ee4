package shardproxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/measure"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A table is a layout at work. It does not change: another layout makes another table.
type table struct {
	*layout.Placement
	key    shardkey.Key // with the countries that it needs
	shards []*shard     // by the index of the layout
	id     string       // of the layout's text
	source string       // file or api
	loaded time.Time
}

// A shard is an upstream at work, and what is counted of it. It outlives tables in which
// it has the same name and replicas.
type shard struct {
	*hop.Upstream
	breaker
	name     string
	replicas string
	load     *load
	end      context.CancelFunc
}

// down tells that no replica can be used, because their checks say so.
func (s *shard) down() bool {
	n, _ := s.Usable()
	return n == 0
}

// lost tells that the shard is down, or that nobody there could be reached lately. Answers
// with errors do not make a shard lost: they may be the fault of a request, which would
// then take one shard out after the other.
func (s *shard) lost() bool { return s.down() || s.open() }

// A load is what is counted under the name of a shard, whatever its replicas are.
type load struct {
	inFlight atomic.Int64
	standIns atomic.Uint64 // requests for keys of other shards
	hits     atomic.Uint64 // answers that a cache behind had, by their Cache-Status
	misses   atomic.Uint64
	series   *measure.Series // time until the head of an answer
	cached   *measure.Series // answers with a Cache-Status; what was no hit counts as an error
	duration durations
}

// durations are the histograms of a shard by class of the status, found once.
type durations [6]prometheus.Observer

func (d *durations) of(vec *prometheus.HistogramVec, name string) {
	for class := range d {
		d[class] = lazy{vec, name, classes[class]}
	}
}

// lazy makes a series when it is first observed: most shards never see most classes.
type lazy struct {
	vec         *prometheus.HistogramVec
	shard, code string
}

func (l lazy) Observe(v float64) { l.vec.WithLabelValues(l.shard, l.code).Observe(v) }

// classes are the values of the label code: the first digit of the status, and 499 for a
// client that left before it was answered.
var classes = [...]string{"499", "1xx", "2xx", "3xx", "4xx", "5xx"}

// statusGone is what metrics call a request whose client left.
const statusGone = 499

func (d *durations) observe(status int, took time.Duration) {
	class := status / 100
	if status == statusGone || class < 1 || class >= len(classes) {
		class = 0
	}
	d[class].Observe(took.Seconds())
}

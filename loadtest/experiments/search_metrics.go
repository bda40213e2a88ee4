package experiments

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// leafCalls are the calls to a leaf: those that it answered, and those that a fault was put into. One that was given up meanwhile is in the
// second number only.
type leafCalls struct{ answered, faulted float64 }

// callsOf counts the calls to all leaves.
func (s *searchRig) callsOf(ctx context.Context) (map[*rig.Proc]leafCalls, error) {
	calls := map[*rig.Proc]leafCalls{}
	for _, p := range s.all() {
		answered, err := metricSum(ctx, p, "http_server_request_duration_seconds_count", `http_route="/v1/`)
		if err != nil {
			return nil, err
		}
		faulted, err := metricSum(ctx, p, "faults_injected_total", "")
		if err != nil {
			return nil, err
		}
		calls[p] = leafCalls{answered, faulted}
	}
	return calls, nil
}

func (c leafCalls) since(before leafCalls) float64 {
	return max(c.answered-before.answered, c.faulted-before.faulted)
}

// metricSum adds up the series of a metric of a process whose labels contain a text.
func metricSum(ctx context.Context, p *rig.Proc, name, labels string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return sumOf(resp.Body, name, labels)
}

func sumOf(text io.Reader, name, labels string) (float64, error) {
	sum := 0.0
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		metric, has, _ := strings.Cut(series, "{")
		if !ok || metric != name || !strings.Contains(has, labels) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += v
	}
	return sum, lines.Err()
}

// searchTimeline draws good and failed searches per second.
func searchTimeline(title string, result openloop.Result, happened []timed) chart.Lines {
	l := timeline(title, result, nil)
	l.Note = fmt.Sprintf("%d searches/s, open loop; a search without a shard is a failed one", int(result.Rate))
	for _, h := range happened {
		l.Marks = append(l.Marks, chart.Mark{X: h.begun.Seconds(), Text: h.name})
	}
	return l
}

// median of values that are at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// worst of values, 0 of none.
func worst(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// callsTo counts, for each leaf, the calls whose labels contain a text.
func (s *searchRig) callsTo(ctx context.Context, labels string) ([]float64, error) {
	var calls []float64
	for _, p := range s.all() {
		n, err := metricSum(ctx, p, "http_server_request_duration_seconds_count", labels)
		if err != nil {
			return nil, err
		}
		calls = append(calls, n)
	}
	return calls, nil
}

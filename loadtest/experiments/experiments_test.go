package experiments

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryPatternHasAPageAndExperimentsWithQuestions(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, p := range All() {
		if _, err := os.Stat(filepath.Join("../../docs", p.Page)); err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
		seen := map[string]bool{}
		for _, e := range p.Experiments {
			if !name.MatchString(e.Name) || seen[e.Name] || !strings.HasSuffix(e.Question, "?") || e.Run == nil {
				t.Errorf("%s/%s: %q", p.ID, e.Name, e.Question)
			}
			seen[e.Name] = true
		}
		if len(p.Experiments) == 0 {
			t.Errorf("%s has no experiments", p.ID)
		}
	}
}

func TestOnlyAHitIsAHit(t *testing.T) {
	for status, want := range map[string]bool{
		"flotilla; hit; ttl=12": true, "varnish; hit": true, "flotilla; fwd=miss": false, "": false, "flotilla; detail=hit": false, "hit": false,
	} {
		if got := isHit(status); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

func TestMovedCountsStrangers(t *testing.T) {
	before := []string{"a", "b", "c", "a", "b"}
	after := []string{"a", "d", "c", "b", "d"}
	if count, strangers := moved(before, after, "d"); count != 3 || strangers != 1 {
		t.Errorf("%d moved, %d strangers", count, strangers)
	}
}

// Two pages, one wanted twice as often, room for one: LRU holds the popular one when it
// was the last that was asked for, two times in three.
func TestChesApproximationIsNearTheExactHitRateOfLRU(t *testing.T) {
	exact := 4.0/9 + 1.0/9
	if got := che([]float64{2.0 / 3, 1.0 / 3}, 1); math.Abs(got-exact) > 0.03 {
		t.Errorf("%.3f, exactly %.3f", got, exact)
	}
	uniform := make([]float64, 100)
	for i := range uniform {
		uniform[i] = 0.01
	}
	if got := che(uniform, 20); math.Abs(got-0.2) > 1e-6 {
		t.Errorf("uniform: %v, want 0.2", got)
	}
}

func TestTheoryOfEquallyPopularPagesIsTheShareThatFits(t *testing.T) {
	if got, _ := theoryOf("uniform", 640); got != 0.2 {
		t.Errorf("%v", got)
	}
	best, _ := theoryOf("zipf", 640)
	if best < che(zipf(), 640) || best > 1 {
		t.Errorf("the best of all caches, %v, is worse than LRU", best)
	}
}

func TestPickerFollowsItsPopularity(t *testing.T) {
	pick := picker("zipf")
	first := 0
	const n = 200_000
	for range n {
		if pick() == 0 {
			first++
		}
	}
	if got, want := float64(first)/n, zipf()[0]; math.Abs(got-want) > 0.01 {
		t.Errorf("the most popular page has %.3f of the requests, want %.3f", got, want)
	}
}

func TestThePromiseOfALimit(t *testing.T) {
	if got := promised(4 * time.Second); got != 220 {
		t.Errorf("%v, want 20 + 50 × 4", got)
	}
}

func TestTheTableOfAProfileIsItsLines(t *testing.T) {
	text := "File: cache\nType: cpu\nShowing nodes accounting for 10ms, 100% of 10ms total\n      flat  flat%   sum%        cum   cum%\n      5ms 50.00% 50.00%        5ms 50.00%  runtime.memmove\n      5ms 50.00%   100%       10ms   100%  net.(*conn).Write (inline)\n"
	rows := top(text)
	if len(rows) != 2 || rows[0][0] != "50.00%" || rows[1][1] != "net.(*conn).Write (inline)" {
		t.Errorf("%q", rows)
	}
}

func TestALoopEndsAfterItsRequestsAndTellsOfFailures(t *testing.T) {
	answer := openloop.Answer{Status: 200, Cache: "c; hit"}
	r, err := loop{clients: 4, duration: time.Minute, requests: 100, send: func(context.Context, int) openloop.Answer { return answer }}.run(t.Context())
	if err != nil || r.good != 100 || r.hitRate() != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	answer = openloop.Answer{Err: errors.New("refused")}
	if _, err := (loop{clients: 1, duration: time.Minute, requests: 3, send: func(context.Context, int) openloop.Answer { return answer }}).run(t.Context()); err == nil || !strings.Contains(err.Error(), "3 of 3") {
		t.Errorf("%v", err)
	}
}

func TestDowntimeIsFromTheFirstFailureToTheFirstSuccessAfterIt(t *testing.T) {
	answers := make(chan int, 64)
	for _, status := range []int{200, 503, 503, 200} {
		answers <- status
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case status := <-answers:
			w.WriteHeader(status)
		default:
			cancel()
		}
	}))
	defer server.Close()
	if down := watchDown(ctx, server.Listener.Addr().String()); down <= 0 || down > 10*time.Second {
		t.Errorf("down for %v", down)
	}
}

func TestARigEndsWhatItStarted(t *testing.T) {
	g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
	p, err := g.Start(t.Context(), rig.Spec{Name: "sleeper", Path: "sh", Args: []string{"-c", "echo begun; sleep 600"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitLog(t.Context(), "begun"); err != nil {
		t.Fatal(err)
	}
	g.Close()
	if err := p.Restart(t.Context()); err != nil { // only what has ended can be started again
		t.Error(err)
	}
	p.Kill()
}

func TestAProcessThatEndsBeforeItIsReadyShowsItsLog(t *testing.T) {
	g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
	defer g.Close()
	_, err := g.Start(t.Context(), rig.Spec{Name: "broken", Path: "sh", Args: []string{"-c", "echo no such file >&2; exit 1"}, Probe: "tcp:127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}

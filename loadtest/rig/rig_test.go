package rig_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func empty(t *testing.T) *rig.Rig {
	t.Helper()
	g := &rig.Rig{Root: "../..", Dir: t.TempDir(), Log: t.Logf}
	t.Cleanup(g.Close)
	return g
}

func TestAProgramThatIsNotInstalledIsMissingNotFailed(t *testing.T) {
	var missing proof.Missing
	if err := rig.Need("sh", "no-such-program"); !errors.As(err, &missing) || !strings.HasPrefix(missing.What, "no-such-program is") {
		t.Errorf("%v", err)
	}
	if err := rig.Need("sh"); err != nil {
		t.Error(err)
	}
}

func TestTheOriginAnswersNoFasterThanItsRate(t *testing.T) {
	g := empty(t)
	o := &rig.Origin{Rate: 200}
	if err := g.Origin(o); err != nil {
		t.Fatal(err)
	}
	client, err := openloop.Target{URL: "http://" + o.Addr}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begin := time.Now()
	var wg sync.WaitGroup
	for range 21 { // the first at once, each further one 5 ms later
		wg.Go(func() {
			if a := client.Get(t.Context(), "/100/x", nil); a.Err != nil || a.Bytes != 100 {
				t.Errorf("%+v", a)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("21 answers in %v at 200/s", took)
	}
	if n := o.Requests.Load(); n != 21 {
		t.Errorf("counted %d", n)
	}
}

func TestTheOriginRefusesWhatIsNoSize(t *testing.T) {
	for _, path := range []string{"/", "/x", "/-1/x", "/99999999999/x"} {
		w := httptest.NewRecorder()
		new(rig.Origin).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAPeersConfigurationIsRenderedWholeOrNotAtAll(t *testing.T) {
	g := empty(t)
	name, err := g.Render("varnish/cache.vcl.tmpl", "cache.vcl", map[string]string{"Host": "127.0.0.1", "Port": "8080"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), `.port = "8080";`) || filepath.Dir(name) != g.Dir {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := g.Render("nginx/edge.conf.tmpl", "edge.conf", map[string]string{"Dir": "x"}); err == nil {
		t.Error("a value is missing and nobody says so")
	}
}

func TestAPausedProcessStandsStillUntilItIsResumed(t *testing.T) {
	g := empty(t)
	p, err := g.Start(t.Context(), rig.Spec{Name: "counter", Path: "sh", Args: []string{"-c", "while :; do echo tick; sleep 0.01; done"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitLog(t.Context(), "tick"); err != nil {
		t.Fatal(err)
	}
	if err := p.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := p.Log()
	if err != nil {
		t.Fatal(err)
	}
	if stopped, err := machine.Stopped(p.PID()); err != nil || !stopped {
		t.Errorf("%v, %v", stopped, err)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it goes on", func() bool {
		now, err := p.Log()
		if err != nil {
			t.Fatal(err)
		}
		return len(now) > len(before)
	})
	if err := p.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Kill() // which needs no process that goes on
	if err := p.Pause(t.Context()); err == nil {
		t.Error("what has ended is paused")
	}
}

// A first build is measured of what a newcomer builds.
func TestTheProgramsAreThoseOfTheFleet(t *testing.T) {
	g := empty(t)
	if err := g.Build(t.Context(), "local"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), g.Bin("local"), "topology", "--json", "--root", g.Root).Output()
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Services []struct{ Package string } }
	if err := json.Unmarshal(out, &told); err != nil {
		t.Fatal(err)
	}
	want := []string{"local"}
	for _, s := range told.Services {
		want = append(want, filepath.Base(s.Package))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	got := rig.Programs()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the rig builds %v, the fleet has %v", got, want)
	}
}

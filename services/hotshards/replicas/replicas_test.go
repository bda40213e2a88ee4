package replicas_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas/replicatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// orchestrator is what both are.
type orchestrator interface {
	Count(ctx context.Context, services ...string) (map[string]replicas.Count, error)
	Scale(ctx context.Context, service string, from, to int) error
}

// fake is what the fakes of both are.
type fake interface {
	Set(name string, want, ready int)
	Get(name string) (want, ready int)
	Break(bool)
	Hold() (release func())
}

// both runs a test over both orchestrators: each has the services a, with two replicas, and b, with one of three ready.
func both(t *testing.T, test func(t *testing.T, o orchestrator, f fake, a, b string)) {
	t.Run("local", func(t *testing.T) {
		f := replicatest.StartRunner(t)
		f.Set("a", 2, 2)
		f.Set("b", 3, 1)
		test(t, replicas.NewRunner(f.Socket, patience, patience), f, "a", "b")
	})
	t.Run("kubernetes", func(t *testing.T) {
		f := replicatest.StartKubernetes(t)
		f.Set("deployment/a", 2, 2)
		f.Set("statefulset/b", 3, 1)
		test(t, kubernetes(t, f, patience), f, "deployment/a", "statefulset/b")
	})
}

func kubernetes(t *testing.T, f *replicatest.Kubernetes, timeout time.Duration) *replicas.Kubernetes {
	t.Helper()
	api, err := kube.Open(kube.Account{URL: f.URL, Dir: f.Account, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return &replicas.Kubernetes{API: api}
}

func TestAnOrchestratorThatFailsIsAnError(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, f fake, a, _ string) {
		f.Break(true)
		if _, err := o.Count(t.Context(), a); err == nil {
			t.Error("a count of nothing")
		}
		if err := o.Scale(t.Context(), a, 2, 3); err == nil {
			t.Error("scaled by nobody")
		}
		if want, _ := f.Get(a); want != 2 {
			t.Errorf("%d replicas", want)
		}
	})
}

func TestAServiceThatIsNotThereIsAnErrorThatNamesIt(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, _ fake, a, _ string) {
		if _, err := o.Count(t.Context(), a, a+"x"); err == nil || !strings.Contains(err.Error(), a+"x") {
			t.Errorf("count: %v", err)
		}
		if err := o.Scale(t.Context(), a+"x", 1, 2); err == nil || !strings.Contains(err.Error(), a+"x") {
			t.Errorf("scale: %v", err)
		}
	})
}

func TestWhoHasAnotherNumberThanWasDecidedForIsLeftAlone(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, f fake, a, _ string) {
		f.Set(a, 5, 5) // somebody scaled by hand
		if err := o.Scale(t.Context(), a, 2, 3); !errors.Is(err, replicas.ErrChanged) {
			t.Errorf("scale: %v", err)
		}
		if want, _ := f.Get(a); want != 5 {
			t.Errorf("%d replicas", want)
		}
	})
}

func TestOrderedAndReadyReplicasAreCounted(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, _ fake, a, b string) {
		counts, err := o.Count(t.Context(), a, b)
		if err != nil || counts[a] != (replicas.Count{Want: 2, Ready: 2}) || counts[b] != (replicas.Count{Want: 3, Ready: 1}) {
			t.Errorf("%+v, %v", counts, err)
		}
	})
}

func TestScalingUpAndDown(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, f fake, a, _ string) {
		for _, step := range [][2]int{{2, 4}, {4, 1}} {
			if err := o.Scale(t.Context(), a, step[0], step[1]); err != nil {
				t.Fatal(err)
			}
			if want, _ := f.Get(a); want != step[1] {
				t.Errorf("%d replicas, want %d", want, step[1])
			}
		}
	})
}

func TestACallerWhoLeavesIsNotHeld(t *testing.T) {
	both(t, func(t *testing.T, o orchestrator, f fake, a, _ string) {
		defer f.Hold()()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.Scale(ctx, a, 2, 3) }()
		cancel()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it was not held")
			}
		case <-time.After(patience):
			t.Error("it is held")
		}
	})
}

func TestARunnerThatIsGoneIsAnError(t *testing.T) {
	r := replicas.NewRunner(filepath.Join(t.TempDir(), "control.sock"), patience, patience)
	if _, err := r.Count(t.Context(), "a"); err == nil {
		t.Error("a count of nothing")
	}
}

func TestARunnerThatEndsBeforeItIsDoneIsAnError(t *testing.T) {
	f := replicatest.StartRunner(t)
	f.Set("a", 2, 2)
	release := f.Hold()
	defer release()
	r := replicas.NewRunner(f.Socket, patience, 50*time.Millisecond)
	if err := r.Scale(t.Context(), "a", 2, 3); err == nil || !strings.Contains(err.Error(), "not done") {
		t.Errorf("scale: %v", err)
	}
}

func TestAFleetThatIsNotUpHasNoNumbers(t *testing.T) {
	f := replicatest.StartRunner(t)
	f.Set("a", 2, 2)
	r := replicas.NewRunner(f.Socket, patience, patience)
	for _, phase := range []string{"building", "stopping", "down", ""} {
		f.Phase(phase)
		if _, err := r.Count(t.Context(), "a"); err == nil {
			t.Errorf("%q: counted", phase)
		}
	}
	for _, phase := range []string{"starting", "degraded"} { // a fleet that starts waits until we are ready, who count
		f.Phase(phase)
		if _, err := r.Count(t.Context(), "a"); err != nil {
			t.Errorf("%s: %v", phase, err)
		}
	}
}

func TestAServerThatIsSilentIsGivenUp(t *testing.T) {
	f := replicatest.StartKubernetes(t)
	f.Set("deployment/a", 2, 2)
	f.Intercept(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	ended := make(chan error, 1)
	go func() {
		_, err := kubernetes(t, f, 50*time.Millisecond).Count(context.Background(), "deployment/a")
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("counted")
		}
	case <-time.After(patience):
		t.Error("it waits")
	}
}

// Between reading a scale and writing it somebody else writes: the API server says 409.
func TestAConflictIsToldAsOne(t *testing.T) {
	f := replicatest.StartKubernetes(t)
	f.Set("deployment/a", 2, 2)
	k := kubernetes(t, f, patience)
	f.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			f.Set("deployment/a", 2, 1) // another version, of the same number
		}
		return false
	})
	if err := k.Scale(t.Context(), "deployment/a", 2, 3); !errors.Is(err, replicas.ErrChanged) {
		t.Errorf("scale: %v", err)
	}
	if want, _ := f.Get("deployment/a"); want != 2 {
		t.Errorf("%d replicas", want)
	}
}

func TestKubernetesScalesToZeroAndBack(t *testing.T) {
	f := replicatest.StartKubernetes(t)
	f.Set("statefulset/a", 1, 1)
	k := kubernetes(t, f, patience)
	if err := k.Scale(t.Context(), "statefulset/a", 1, 0); err != nil {
		t.Fatal(err)
	}
	if err := k.Scale(t.Context(), "statefulset/a", 0, 2); err != nil {
		t.Fatal(err)
	}
	counts, err := k.Count(t.Context(), "statefulset/a")
	if err != nil || counts["statefulset/a"] != (replicas.Count{Want: 2}) {
		t.Errorf("%+v, %v", counts, err)
	}
}

package kube_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/kube/kubetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a call of a test that does not want it to end early.
const patience = 30 * time.Second

func open(t *testing.T, s *kubetest.Server, timeout time.Duration) *kube.Client {
	t.Helper()
	c, err := kube.Open(kube.Account{URL: s.URL, Dir: s.Account, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// object is what the tests look at.
type object struct {
	Metadata struct {
		Name, ResourceVersion string
		Annotations           map[string]string
	} `json:"metadata"`
	Spec struct{ HolderIdentity string } `json:"spec"`
}

func leases(c *kube.Client, name ...string) string {
	return c.Path("coordination.k8s.io/v1", "leases", name...)
}

func read(t *testing.T, c *kube.Client, name string) (kubetest.Object, string) {
	t.Helper()
	var o kubetest.Object
	if err := c.Get(t.Context(), leases(c, name), &o); err != nil {
		t.Fatal(err)
	}
	return o, o["metadata"].(kubetest.Object)["resourceVersion"].(string)
}

func TestAWriteOfAnOldVersionIsAConflict(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Put("leases/n", kubetest.Object{})
	o, version := read(t, c, "n")
	s.Annotate("leases/n", "note", "somebody was faster")
	if err := c.Update(t.Context(), leases(c, "n"), o, nil); !errors.Is(err, kube.ErrConflict) {
		t.Errorf("update of version %s: %v", version, err)
	}
	o, _ = read(t, c, "n")
	var now object
	if err := c.Update(t.Context(), leases(c, "n"), o, &now); err != nil || now.Metadata.ResourceVersion == version {
		t.Errorf("update of the newest version: %v, %+v", err, now)
	}
}

func TestAnObjectThatIsThereAlreadyIsAConflictAndOneThatIsNotIsNotFound(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	if err := c.Get(t.Context(), leases(c, "n"), nil); !errors.Is(err, kube.ErrNotFound) || !strings.Contains(err.Error(), "leases/n") {
		t.Errorf("get: %v", err)
	}
	o := kubetest.Object{"metadata": kubetest.Object{"name": "n"}}
	var made object
	if err := c.Create(t.Context(), leases(c), o, &made); err != nil || made.Metadata.ResourceVersion == "" {
		t.Errorf("create: %v, %+v", err, made)
	}
	if err := c.Create(t.Context(), leases(c), o, nil); !errors.Is(err, kube.ErrConflict) {
		t.Errorf("create again: %v", err)
	}
}

func TestATokenThatWasReplacedIsReadAgain(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Put("leases/n", kubetest.Object{})
	s.Rotate("second-token")
	read(t, c, "n")
	// Between reading the token and sending it, it is replaced: the server answers 401, and the file has another one.
	var once atomic.Bool
	s.Intercept(func(http.ResponseWriter, *http.Request) bool {
		if once.CompareAndSwap(false, true) {
			s.Rotate("third-token")
		}
		return false
	})
	read(t, c, "n")
}

func TestATokenThatIsNotAcceptedIsToldAndNotSentAgain(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	var asked atomic.Int32
	s.Intercept(func(http.ResponseWriter, *http.Request) bool { asked.Add(1); return false })
	s.Accept("another-one")
	if err := c.Get(t.Context(), leases(c, "n"), nil); !errors.Is(err, kube.ErrUnauthorized) {
		t.Errorf("with an old token: %v", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if err := os.Remove(filepath.Join(s.Account, "token")); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), leases(c, "n"), nil); err == nil || !strings.Contains(err.Error(), "token of the service account") {
		t.Errorf("without a token: %v", err)
	}
}

// throttle refuses the first n requests as API Priority and Fairness does, and counts all.
func throttle(s *kubetest.Server, n int32, after string) *atomic.Int32 {
	asked := &atomic.Int32{}
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if asked.Add(1) > n {
			return false
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		kubetest.Status(w, http.StatusTooManyRequests, "Too many requests, please try again later.")
		return true
	})
	return asked
}

func TestAServerThatHasTooMuchToDoIsAskedAgainWhenItWantsTo(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Put("leases/n", kubetest.Object{})
	o, _ := read(t, c, "n")
	asked := throttle(s, 1, "1")
	began := time.Now()
	if err := c.Update(t.Context(), leases(c, "n"), o, nil); err != nil || asked.Load() != 2 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("asked again after %s", took)
	}
}

func TestAWaitThatDoesNotFitIsNotBegun(t *testing.T) {
	s := kubetest.Start(t)
	for name, o := range map[string]struct {
		after   string
		timeout time.Duration
	}{"longer than the call": {"3000", patience}, "nothing is said": {"", patience}, "nonsense": {"soon", patience}} {
		asked := throttle(s, 100, o.after)
		c := open(t, s, o.timeout)
		if err := c.Get(t.Context(), leases(c, "n"), nil); !errors.Is(err, kube.ErrThrottled) || !strings.Contains(err.Error(), "Too many requests") {
			t.Errorf("%s: %v", name, err)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
}

func TestAServerThatIsSlowIsNotWaitedFor(t *testing.T) {
	s := kubetest.Start(t)
	for name, answer := range map[string]kubetest.Answers{
		"no head": func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"no end": func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"metadata":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		},
	} {
		s.Intercept(answer)
		c := open(t, s, 200*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- c.Get(context.Background(), leases(c, "n"), nil) }()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it waits", name)
		}
	}
}

func TestAnAnswerThatIsTooLargeIsAnErrorAndNotHalfAnObject(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, `{"metadata":{"name":"n"}}`)
		_, _ = io.WriteString(w, strings.Repeat(" ", 4<<20)) // the client may have enough
		return true
	})
	if err := c.Get(t.Context(), leases(c, "n"), &object{}); !errors.Is(err, kube.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Status(w, http.StatusForbidden, strings.Repeat("no ", 10_000))
		return true
	})
	if err := c.Get(t.Context(), leases(c, "n"), &object{}); err == nil || len(err.Error()) > 1000 {
		t.Errorf("%.40v", err)
	}
}

func TestAnAnswerThatIsNoObjectIsAnError(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	for code, text := range map[int]string{http.StatusOK: "<html>", http.StatusBadGateway: "<html>", http.StatusFound: ""} {
		s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "https://elsewhere/") // nobody else may get the token
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
			return true
		})
		if err := c.Get(t.Context(), leases(c, "n"), &object{}); err == nil || !strings.Contains(err.Error(), "leases/n") {
			t.Errorf("%d %q: %v", code, text, err)
		}
	}
}

func TestAnAccountThatIsWrongIsAnError(t *testing.T) {
	s := kubetest.Start(t)
	for name, a := range map[string]kube.Account{
		"plain HTTP":   {URL: "http://kubernetes.default.svc", Dir: s.Account},
		"a path":       {URL: s.URL + "/apis", Dir: s.Account},
		"no folder":    {URL: s.URL, Dir: t.TempDir()},
		"no namespace": {URL: s.URL, Dir: withoutNamespace(t, s)},
	} {
		a.Timeout = patience
		if _, err := kube.Open(a); err == nil {
			t.Errorf("%s: it opens", name)
		}
	}
	c, err := kube.Open(kube.Account{URL: s.URL, Dir: withoutNamespace(t, s), Namespace: "other", Timeout: patience})
	if err != nil || c.Namespace() != "other" || c.Path("apps/v1", "deployments", "a/b", "scale") != "/apis/apps/v1/namespaces/other/deployments/a%2Fb/scale" {
		t.Errorf("%v, %+v", err, c)
	}
}

func withoutNamespace(t *testing.T, s *kubetest.Server) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ca.crt", "token"} {
		text, err := os.ReadFile(filepath.Join(s.Account, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAServerThatNobodyCertifiedGetsNoToken(t *testing.T) {
	s, other := kubetest.Start(t), kubetest.Start(t)
	var asked atomic.Int32
	other.Intercept(func(http.ResponseWriter, *http.Request) bool { asked.Add(1); return false })
	c, err := kube.Open(kube.Account{URL: other.URL, Dir: s.Account, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Get(t.Context(), leases(c, "n"), nil); err == nil || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

func TestAuthoritiesAreFollowed(t *testing.T) {
	s := kubetest.Start(t)
	good, err := os.ReadFile(filepath.Join(s.Account, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(certstest.New(t).File)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Account, "ca.crt")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Put("leases/n", kubetest.Object{})
	c := open(t, s, patience)
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); c.Follow(ctx, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-followed }()
	if err := c.Get(ctx, leases(c, "n"), nil); err == nil {
		t.Error("a server of another authority is trusted")
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	await.Seen(t, "the new authority counts", func() (any, bool) {
		err := c.Get(ctx, leases(c, "n"), nil)
		return err, err == nil
	})
}

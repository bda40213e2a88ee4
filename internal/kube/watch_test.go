package kube_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/kube/kubetest"
)

// events watches until it has seen n, or the watch ends.
func events(t *testing.T, c *kube.Client, version string, n int) (seen []string, err error) {
	t.Helper()
	err = c.Watch(t.Context(), leases(c), "n", version, func(e kube.Event) bool {
		seen = append(seen, e.Type+" "+string(e.Object))
		return len(seen) < n
	})
	return seen, err
}

func TestAWatchFromAVersionThatIsTooOldIsExpired(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Put("leases/n", kubetest.Object{})
	_, version := read(t, c, "n")
	s.Annotate("leases/n", "a", "1")
	s.Compact()
	if seen, err := events(t, c, version, 1); !errors.Is(err, kube.ErrExpired) {
		t.Errorf("%v, %v", seen, err)
	}
	// Some servers say it by the status of the answer.
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Status(w, http.StatusGone, "too old resource version")
		return true
	})
	if seen, err := events(t, c, version, 1); !errors.Is(err, kube.ErrExpired) {
		t.Errorf("%v, %v", seen, err)
	}
}

func TestAWatchTellsWhatChangedAfterItsVersion(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	s.Put("leases/n", kubetest.Object{})
	_, version := read(t, c, "n")
	s.Put("leases/other", kubetest.Object{})
	s.Annotate("leases/n", "note", "one")
	s.Delete("leases/n")
	seen, err := events(t, c, version, 2)
	if err != nil || len(seen) != 2 || !strings.HasPrefix(seen[0], "MODIFIED") || !strings.Contains(seen[0], `"note":"one"`) || !strings.HasPrefix(seen[1], "DELETED") {
		t.Errorf("%v, %v", seen, err)
	}
	s.Put("leases/n", kubetest.Object{})
	if seen, err := events(t, c, "", 1); err != nil || len(seen) != 1 || !strings.HasPrefix(seen[0], "ADDED") {
		t.Errorf("from now on: %v, %v", seen, err)
	}
}

func TestAWatchThatTheServerEndsIsNoErrorAndOneThatBreaksIs(t *testing.T) {
	s := kubetest.Start(t)
	c := open(t, s, patience)
	bookmark := `{"type":"BOOKMARK","object":{}}`
	for text, is := range map[string]func(error) bool{
		bookmark:                           func(err error) bool { return err == nil },
		bookmark + bookmark[:10]:           func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		bookmark + "<html>":                func(err error) bool { return err != nil },
		`{"type":"ERROR","object":"what"}`: func(err error) bool { return err != nil },
		`{"type":"ERROR","object":{"message":"etcd has no leader","code":500}}`: func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "no leader") && !errors.Is(err, kube.ErrExpired)
		},
		strings.Repeat(fmt.Sprintf(`{"type":"BOOKMARK","object":%q}`, strings.Repeat("x", 1<<20)), 17): func(err error) bool { return errors.Is(err, kube.ErrTooLarge) },
	} {
		s.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, text) // the client may have enough
			return true
		})
		if seen, err := events(t, c, "7", 1000); !is(err) {
			t.Errorf("%.80s: %d events, %v", text, len(seen), err)
		}
	}
}

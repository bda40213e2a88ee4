package ownership

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// still is a store that never answers again: a lease of it lasts as long as it was granted.
type still struct{ lease.Store }

func (still) Renew(ctx context.Context, _ lease.Grant) (lease.Grant, error) {
	<-ctx.Done()
	return lease.Grant{}, ctx.Err()
}

func (still) Release(context.Context, lease.Grant) error { return lease.ErrLost }

// termWith begins a term whose ledger is what the test says.
func termWith(t *testing.T, ledger http.HandlerFunc) *term {
	t.Helper()
	server := httptest.NewServer(ledger)
	t.Cleanup(server.Close)
	l := lease.Keep(still{}, lease.Grant{Name: "shard-0", Holder: "a@h:1#r", Token: 7, TTL: time.Hour, Version: "1"}, time.Now(), nil)
	t.Cleanup(func() { _ = l.Resign(context.Background()) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return newTerm(l, worker{client: client, url: server.URL}, 1)
}

// answersUnlessEntry answers everything with numbers of 0, and an entry as the test says.
func answersUnlessEntry(entry http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/entries") {
			entry(w, r)
			return
		}
		_, _ = io.WriteString(w, "{}") // the test sees it when it does not arrive
	}
}

// The ledger may have recorded what it was asked for when the lease ended; it must not be
// told that nothing was.
func TestAnEntryUnderWayAtTheEndOfTheLeaseIsDoubtful(t *testing.T) {
	asked := make(chan struct{})
	over := make(chan struct{})
	term := termWith(t, answersUnlessEntry(func(http.ResponseWriter, *http.Request) { close(asked); <-over }))
	defer close(over)
	told := make(chan error, 1)
	go func() {
		_, _, err := term.apply(t.Context(), Intent{ID: "i", Account: "a", Amount: 1})
		told <- err
	}()
	<-asked
	term.lease.End(lease.ErrUnconfirmed)
	if err := <-told; !errors.Is(err, errUnknown) || errors.Is(err, errNotOwner) {
		t.Errorf("%v", err)
	}
}

// The second attempt is refused by the fence, or comes after the lease: what became of the
// first is not known for that.
func TestAnEntryWhoseAnswerWasLostStaysDoubtful(t *testing.T) {
	for _, c := range []struct {
		name   string
		second func(*term, http.ResponseWriter)
	}{
		{"fenced", func(_ *term, w http.ResponseWriter) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"type":"problems#token-stale"}`) // the test sees it when it does not arrive
		}},
		{"no owner any more", func(of *term, w http.ResponseWriter) {
			of.lease.End(lease.ErrUnconfirmed)
			_, _ = io.WriteString(w, "{}")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var of atomic.Pointer[term]
			var lost atomic.Bool
			first := termWith(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case lost.Load():
					c.second(of.Load(), w)
				case strings.HasSuffix(r.URL.Path, "/entries"):
					lost.Store(true)
					panic(http.ErrAbortHandler)
				default:
					_, _ = io.WriteString(w, "{}")
				}
			})
			of.Store(first)
			if _, _, err := first.apply(t.Context(), Intent{ID: "i", Account: "a", Amount: 1}); !errors.Is(err, errUnknown) || errors.Is(err, errNotOwner) || errors.Is(err, errFenced) {
				t.Errorf("%v", err)
			}
		})
	}
}

package ownership

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// giving is a store to which whoever asks still is the owner.
type giving struct{ still }

func (giving) Release(context.Context, lease.Grant) error { return nil }

// After a restore of the store all owners are refused. That looks like an ordinary hand-over, again and again: somebody has to be told.
func TestAStoreWhoseTokensWentBackIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		store lease.Store
		why   error
		told  bool
	}{
		"fenced, and the owner by the store": {giving{}, errFenced, true},
		"fenced, and succeeded":              {still{}, errFenced, false},
		"resigned":                           {giving{}, lease.ErrResigned, false},
	} {
		var log strings.Builder
		s := &shard{ledger: "ledger:1", holder: "a@h:1#r", history: &history{most: 1, now: time.Now}, metrics: newMetrics(prometheus.NewRegistry()), log: slog.New(slog.NewTextHandler(&log, nil))}
		s.cfg.Store.Etcd.Timeout = time.Minute
		of := newTerm(lease.Keep(c.store, lease.Grant{Name: "shard-0", Holder: s.holder, Token: 7, TTL: time.Hour, Version: "1"}, time.Now(), nil), worker{}, 1)
		of.lease.End(c.why)
		s.end(t.Context(), of)
		if told := strings.Contains(log.String(), "restored from a backup"); told != c.told {
			t.Errorf("%s: %s", name, log.String())
		}
	}
}

// Who waits for a turn while the shard is handed over gets none, although the turn may be free at the same moment: the
// hand-over would wait for it.
func TestAHandOverGivesNoMoreTurns(t *testing.T) {
	for range 200 {
		term := termWith(t, answersUnlessEntry(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
		close(term.over)
		if err := term.take(t.Context()); !errors.Is(err, errNotOwner) {
			t.Fatalf("a turn after the last one: %v", err)
		}
		if len(term.turn) != 0 || len(term.seats) != 0 {
			t.Fatal("what was not given is kept")
		}
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

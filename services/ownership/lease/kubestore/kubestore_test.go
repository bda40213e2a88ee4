package kubestore

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/kube/kubetest"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, s *kubetest.Server) *Store {
	t.Helper()
	api, err := kube.Open(kube.Account{URL: s.URL, Dir: s.Account, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return New(api, "own-")
}

func TestConformanceOverTheFakeServer(t *testing.T) {
	s := kubetest.Start(t)
	storetest.Run(t, func(t *testing.T) lease.Store { return client(t, s) })
}

const ttl = time.Second

func bound(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func take(t *testing.T, s *Store, holder string) lease.Grant {
	t.Helper()
	g, err := lease.Lock{Store: s, Name: "n", Holder: holder, TTL: ttl}.Lock(bound(t))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTokensGrowAlthoughSomebodyDeletesTheLease(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s := client(t, server)
	first := take(t, s, "first")
	server.Delete("leases/own-n")
	if _, err := s.Renew(bound(t), first); !errors.Is(err, lease.ErrLost) {
		t.Errorf("a Lease that is gone was renewed: %v", err)
	}
	second := take(t, s, "second")
	if second.Token <= first.Token {
		t.Errorf("token %d after %d", second.Token, first.Token)
	}
}

func TestTokensGrowAlthoughTheClusterWasRestored(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s := client(t, server)
	first := take(t, s, "first")
	if err := s.Release(bound(t), first); err != nil {
		t.Fatal(err)
	}
	server.Restore(10)
	if second := take(t, s, "second"); second.Token <= first.Token {
		t.Errorf("token %d after %d", second.Token, first.Token)
	}
}

func TestWhoOnlyAnnotatesALeaseTakesItFromNobody(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s := client(t, server)
	g := take(t, s, "holder")
	server.Annotate("leases/own-n", "note", "hello")
	g, err := s.Renew(bound(t), g)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(bound(t), g); err != nil {
		t.Fatal(err)
	}
	if text := server.JSON("leases/own-n"); !strings.Contains(text, `"note":"hello"`) {
		t.Errorf("somebody else's annotation is gone: %s", text)
	}
}

func TestATokenOfTheServiceAccountIsReadAgain(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s := client(t, server)
	g := take(t, s, "holder")
	server.Rotate("second-token")
	if _, err := s.Renew(bound(t), g); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(server.Account, "token")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(bound(t), g); err == nil || errors.Is(err, lease.ErrLost) {
		t.Errorf("without a token: %v", err)
	}
}

func TestAWatchGoesOnThroughCompactionAndFailure(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s, other := client(t, server), client(t, server)
	ctx := bound(t)
	seen, err := s.Next(ctx, "n", lease.Record{})
	if err != nil {
		t.Fatal(err)
	}
	for _, disturb := range []func(){
		server.Compact,
		func() {
			server.Fail(func(r *http.Request) bool { return r.URL.Query().Get("watch") != "" })
			server.Fail(nil)
		},
	} {
		next := make(chan lease.Record, 1)
		go func() {
			r, err := s.Next(ctx, "n", seen)
			if err != nil {
				t.Error(err)
			}
			next <- r
		}()
		disturb()
		g := take(t, other, "holder")
		if seen = <-next; seen.Holder != "holder" || seen.Token != g.Token {
			t.Errorf("%+v, want %+v", seen, g)
		}
		if err := other.Release(ctx, g); err != nil && !errors.Is(err, lease.ErrLost) {
			t.Fatal(err)
		}
		if seen, err = s.Next(ctx, "n", seen); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAServerThatFailsIsNoLoss(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	s := client(t, server)
	g := take(t, s, "holder")
	server.Fail(func(*http.Request) bool { return true })
	_, renewed := s.Renew(bound(t), g)
	_, asked := s.Next(bound(t), "n", lease.Record{})
	for _, err := range []error{renewed, s.Release(bound(t), g), asked} {
		if err == nil || errors.Is(err, lease.ErrLost) || errors.Is(err, lease.ErrHeld) {
			t.Errorf("a server that fails says nothing of who holds it: %v", err)
		}
	}
}

func TestALeaseOfSomebodyElseIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"metadata":{"resourceVersion":"7"},"spec":{"holderIdentity":null,"leaseDurationSeconds":15,"renewTime":null}}`: "",
		`{"metadata":{"resourceVersion":"x"}}`:                                                  "is no number",
		`{"metadata":{"resourceVersion":"0"}}`:                                                  "is no number",
		`{"metadata":{"resourceVersion":"7","annotations":{"flotilla.dev/fencing-token":"x"}}}`: "is no number",
		`{"metadata":{"resourceVersion":"7"},"spec":{"leaseDurationSeconds":-1}}`:               "negative",
		`{"metadata":{"resourceVersion":"7"},"spec":{"renewTime":"yesterday"}}`:                 "not one of a lease",
		`[]`: "not one of a lease",
	} {
		_, err := parse([]byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, lease.ErrUnreadable) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"n","resourceVersion":"7","annotations":{"flotilla.dev/fencing-token":"6"}},"spec":{"holderIdentity":"h","leaseDurationSeconds":15,"acquireTime":"2026-11-26T02:00:00.000000Z","leaseTransitions":1}}`))
	f.Add([]byte(`{"metadata":{"resourceVersion":"18446744073709551616"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := parse(text)
		if err != nil {
			return
		}
		if _, err := o.number(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		New(nil, "").record("n", o)
		o.setToken(7)
		if token, err := o.token(); err != nil || token != 7 {
			t.Errorf("%s: %d, %v", text, token, err)
		}
	})
}

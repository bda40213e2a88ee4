package httpclient_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// script answers with these statuses, one after the other and then the last
// for ever, and keeps the bodies it was sent.
type script struct {
	mu       sync.Mutex
	statuses []int
	header   http.Header
	bodies   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(body))
	status := s.statuses[0]
	if len(s.statuses) > 1 {
		s.statuses = s.statuses[1:]
	}
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status))
}

func TestWhatIsRetried(t *testing.T) {
	for _, test := range []struct {
		name, method string
		key          string
		statuses     []int
		after        string
		want, calls  int
	}{
		{name: "good", method: "GET", statuses: []int{200}, want: 200, calls: 1},
		{name: "unavailable", method: "GET", statuses: []int{503, 502, 200}, want: 200, calls: 3},
		{name: "never good", method: "GET", statuses: []int{504}, want: 504, calls: 3},
		{name: "put", method: "PUT", statuses: []int{503, 200}, want: 200, calls: 2},
		{name: "post", method: "POST", statuses: []int{503, 200}, want: 503, calls: 1},
		{name: "post with key", method: "POST", key: "k-1", statuses: []int{503, 200}, want: 200, calls: 2},
		{name: "client error", method: "GET", statuses: []int{404, 200}, want: 404, calls: 1},
		{name: "server error", method: "GET", statuses: []int{500, 200}, want: 500, calls: 1},
		{name: "limited without a hint", method: "GET", statuses: []int{429, 200}, want: 429, calls: 1},
		{name: "limited with a hint", method: "GET", statuses: []int{429, 200}, after: "0", want: 200, calls: 2},
		{name: "hint beyond the deadline", method: "GET", statuses: []int{503, 200}, after: "3600", want: 503, calls: 1},
		{name: "redirect", method: "GET", statuses: []int{307, 200}, want: 307, calls: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{statuses: test.statuses, header: http.Header{"Location": {"/"}}}
			if test.after != "" {
				s.header.Set("Retry-After", test.after)
			}
			server := serve(t, s.ServeHTTP)
			r := newRequest(t, test.method, server.URL, "the body")
			if test.key != "" {
				r.Header.Set("Idempotency-Key", test.key)
			}
			status, content, err := do(t, newClient(t, httpclient.Options{}), r)
			if err != nil || status != test.want || content != http.StatusText(test.want) {
				t.Errorf("%d %q %v", status, content, err)
			}
			if want := slices.Repeat([]string{"the body"}, test.calls); !slices.Equal(s.bodies, want) {
				t.Errorf("the server got %q, want %d calls with the body", s.bodies, test.calls)
			}
		})
	}
}

func TestBodyThatCannotBeReadAgainIsSentOnce(t *testing.T) {
	s := &script{statuses: []int{503, 200}}
	server := serve(t, s.ServeHTTP)
	r, _ := http.NewRequestWithContext(t.Context(), "PUT", server.URL, io.MultiReader(bytes.NewReader([]byte("once"))))
	if status, _, err := do(t, newClient(t, httpclient.Options{}), r); status != 503 || len(s.bodies) != 1 {
		t.Errorf("status %d, %v, %d calls", status, err, len(s.bodies))
	}
}

func TestBrokenConnectionIsRetriedForIdempotentRequestsOnly(t *testing.T) {
	for method, want := range map[string]int32{"GET": 3, "POST": 1} {
		var conns atomic.Int32
		address := nettest.Serve(t, func(c net.Conn) {
			conns.Add(1)
			nettest.ReadHead(c)
			_ = c.(*net.TCPConn).SetLinger(0) // reset
		})
		r, _ := http.NewRequestWithContext(t.Context(), method, "http://"+address, nil)
		if _, _, err := do(t, newClient(t, httpclient.Options{}), r); err == nil || conns.Load() != want {
			t.Errorf("%s: %d connections, want %d; %v", method, conns.Load(), want, err)
		}
	}
}

func TestHalfClosedConnectionIsAnErrorInTime(t *testing.T) {
	address := nettest.Serve(t, func(c net.Conn) {
		nettest.ReadHead(c)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	began := time.Now()
	if _, _, err := do(t, newClient(t, httpclient.Options{}), newRequest(t, "GET", "http://"+address, "")); err == nil || time.Since(began) > patience/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// A refused connection has sent nothing, so that even a POST may be repeated.
func TestRefusedPostIsRetried(t *testing.T) {
	budget := retry.NewBudget(retry.BudgetConfig{MinPerSecond: 10, Burst: 10})
	client := newClient(t, httpclient.Options{Budget: budget})
	if _, _, err := do(t, client, newRequest(t, "POST", "http://"+nettest.Refuse(t), "x")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	if allowed, _ := budget.Counts(); allowed != 2 {
		t.Errorf("%d retries, want 2", allowed)
	}
}

func TestBudgetBoundsRetries(t *testing.T) {
	s := &script{statuses: []int{503}}
	server := serve(t, s.ServeHTTP)
	budget := retry.NewBudget(retry.BudgetConfig{Share: 0.1, Burst: 100})
	client := newClient(t, httpclient.Options{Budget: budget})
	for range 100 {
		if status, _, err := do(t, client, newRequest(t, "GET", server.URL, "")); status != 503 {
			t.Fatalf("%d %v", status, err)
		}
	}
	if n := len(s.bodies); n != 110 {
		t.Errorf("100 failing requests made %d calls, want 110 by a share of 0.1", n)
	}
}

func TestNoRetriesWhenSwitchedOff(t *testing.T) {
	s := &script{statuses: []int{503, 200}}
	server := serve(t, s.ServeHTTP)
	client := newClient(t, httpclient.Options{Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1, RetryBurst: 10, RetryMinPerSecond: 10}}})
	if status, _, err := do(t, client, newRequest(t, "GET", server.URL, "")); status != 503 || len(s.bodies) != 1 {
		t.Errorf("%d %v, %d calls", status, err, len(s.bodies))
	}
}

func TestCallerWhoGivesUpEndsTheRetries(t *testing.T) {
	var calls atomic.Int32
	entered := make(chan struct{}, 8)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		entered <- struct{}{}
		<-r.Context().Done()
	})
	r, cancel := cancelable(t, server.URL)
	go func() { <-entered; cancel() }()
	if _, _, err := do(t, newClient(t, httpclient.Options{}), r); !errors.Is(err, r.Context().Err()) || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

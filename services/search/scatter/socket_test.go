package scatter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// slowServer answers when its gate is opened, and notes who went away before.
type slowServer struct {
	*httptest.Server
	gate  chan struct{}
	asked atomic.Int64
	left  atomic.Int64
}

func newServer(t *testing.T, open bool) *slowServer {
	s := &slowServer{gate: make(chan struct{})}
	if open {
		close(s.gate)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-s.gate:
			fmt.Fprint(w, "answer of ", r.URL.Query().Get("n"))
		case <-r.Context().Done():
			s.left.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slowServer) addr() string { return strings.TrimPrefix(s.URL, "http://") }

func overHTTP(client *http.Client, n int) Call[string] {
	return func(ctx context.Context, _ int, replica *upstream.Endpoint) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/?n=%d", replica.Addr(), n), nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
}

// The server of a loser sees its caller go, and the connections that losers had are not used for anybody else's answer.
func TestTheServerOfALoserIsToldAndNoAnswerIsMixedUp(t *testing.T) {
	slow, quick := newServer(t, false), newServer(t, true)
	defer close(slow.gate)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	s := New(Options{Quantile: 0.98, First: 1, Hedges: plenty(), Attempts: 2})
	k, shard := s.Kind("k"), shardOf(t, slow.addr(), quick.addr())
	for n := 0; slow.asked.Load() < 3 && n < 10_000; n++ {
		g := Gather(t.Context(), k, []Shard{shard}, overHTTP(client, n))
		if g[0].Missing != "" || g[0].Value != fmt.Sprint("answer of ", n) {
			t.Fatalf("request %d: %+v", n, g[0])
		}
	}
	s.Wait()
	await.Seen(t, "the slow server to see its callers go", func() (any, bool) {
		asked, left := slow.asked.Load(), slow.left.Load()
		return [2]int64{asked, left}, asked >= 3 && left == asked
	})
}

// A replica whose process is gone refuses: the other one is asked, and nothing is missing.
func TestAReplicaThatIsGoneCostsNothing(t *testing.T) {
	gone, there := newServer(t, true), newServer(t, true)
	gone.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	s := New(Options{Attempts: 2})
	k, shard := s.Kind("k"), shardOf(t, gone.addr(), there.addr())
	for n := range 100 {
		if g := Gather(t.Context(), k, []Shard{shard}, overHTTP(client, n)); g[0].Missing != "" {
			t.Fatalf("request %d: %+v", n, g[0])
		}
	}
	s.Wait()
}

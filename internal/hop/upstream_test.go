package hop

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// first is the request that is asked first, of whichever replica. It is not
// answered before it may go on.
type first struct {
	taken atomic.Bool
	by    chan *twin // who got it
	goOn  chan struct{}
}

// twin is a replica with an administration port.
type twin struct {
	data, admin *httptest.Server
	readiness   atomic.Int64 // status of its checks
}

func newTwin(t *testing.T, f *first) *twin {
	w := &twin{}
	w.readiness.Store(200)
	w.data = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if f.taken.Swap(true) {
			return
		}
		f.by <- w
		select {
		case <-f.goOn:
		case <-r.Context().Done():
		}
	}))
	w.admin = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.WriteHeader(int(w.readiness.Load()))
	}))
	t.Cleanup(w.data.Close)
	t.Cleanup(w.admin.Close)
	return w
}

func (w *twin) addr() string { return w.data.Listener.Addr().String() }

func (w *twin) String() string {
	_, port, _ := net.SplitHostPort(w.admin.Listener.Addr().String())
	return w.addr() + "/" + port
}

// run makes an upstream of the replicas and runs it until the test ends.
func run(t *testing.T, replicas string) *Upstream {
	t.Helper()
	address, err := upstream.Parse(replicas)
	if err != nil {
		t.Fatal(err)
	}
	_, health := upstream.Default()
	u, err := New(Options{
		Name: "app", Address: address, Intervals: upstream.Intervals{CheckInterval: 20 * time.Millisecond}, Health: health,
		Retry: retry.DefaultSettings().Limits, Connect: patience, KeepAlive: time.Minute, Idle: patience, MaxIdle: 1, HeadLimit: 1 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return u
}

func TestARequestLeavesAReplicaOnlyWhenThatIsSilent(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(*twin)
		left bool
	}{
		"drains": {func(w *twin) { w.readiness.Store(503) }, false},
		"fails":  {func(w *twin) { w.readiness.Store(500) }, false},
		"silent": {func(w *twin) { w.admin.Close() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &first{by: make(chan *twin, 1), goOn: make(chan struct{})}
			one, two := newTwin(t, f), newTwin(t, f)
			u := run(t, one.String()+","+two.String())
			await.That(t, "both replicas", func() bool { return u.pool.Snapshot().Usable == 2 })
			var looks atomic.Int64
			x := &Exchange{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Replay: true, Timeout: patience,
				Gone: func() bool { looks.Add(1); return false }}
			done := make(chan error, 1)
			go func() { done <- u.Do(x) }()
			asked := <-f.by
			c.fail(asked)
			await.That(t, "replica that is down", func() bool { return u.pool.Snapshot().Usable == 1 })
			if !c.left {
				// The client is looked at before the replica is: two more looks at the
				// client mean one at a replica that is down.
				enough := looks.Load() + 2
				await.That(t, "look at the replica", func() bool { return looks.Load() >= enough })
				close(f.goOn)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if left := x.Endpoint() != asked.addr(); left != c.left || x.Retries > 0 != c.left {
				t.Errorf("left: %v after %d retries, want %v", left, x.Retries, c.left)
			}
			x.Finish()
		})
	}
}

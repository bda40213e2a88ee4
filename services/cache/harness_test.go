package cache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every test as a whole.
const patience = 20 * time.Second

// world is a cache on a real socket in front of real origins.
type world struct {
	t      testing.TB
	s      *Server
	store  *store.Store
	pool   *upstream.Pool
	addr   string
	client *http.Client
	ctx    context.Context

	mu       sync.Mutex
	handler  http.HandlerFunc
	requests []*http.Request // as the origin saw them
	count    atomic.Int64
}

// settings of a world; the zero value is a plain cache.
type settings struct {
	policy     string
	memory     int64
	maxBans    int
	waiters    int
	wait       time.Duration
	header     time.Duration
	stall      time.Duration
	maxBody    int64
	origins    []string // instead of the world's own
	options    func(*Options)
	noUpstream bool
	health     upstream.Health // the zero value ejects nobody
}

func newWorld(t testing.TB, set settings) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w := &world{t: t, ctx: ctx}
	w.handler = func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Cache-Control", "max-age=60") }
	own := httptest.NewServer(http.HandlerFunc(w.serveOrigin))
	addrs := set.origins
	if addrs == nil {
		addrs = []string{own.Listener.Addr().String()}
	}
	if set.noUpstream {
		own.Close()
	}
	w.start(set, strings.Join(addrs, ","), cancel, own)
	return w
}

func (w *world) start(set settings, addrs string, cancel context.CancelFunc, own *httptest.Server) {
	t := w.t
	address, err := upstream.Parse(addrs)
	must(t, err)
	pool, err := upstream.New(upstream.Options{Name: "test", Address: address, Health: set.health})
	must(t, err)
	w.pool = pool
	w.store, err = store.New(store.Options{Memory: or(set.memory, 64<<20), MaxBans: or(set.maxBans, 16), Validation: time.Hour})
	must(t, err)
	routes := policy.Default()
	if set.policy != "" {
		routes, err = policy.Parse([]byte(set.policy))
		must(t, err)
	}
	client := origin.New(origin.Options{Pool: pool, Budget: retry.NewBudget(retry.BudgetConfig{Share: 1, MinPerSecond: 100, Burst: 100}),
		Attempts: 3, Connect: time.Second, Header: or(set.header, 5*time.Second), Stall: or(set.stall, 5*time.Second), MaxInFlight: 1000})
	o := Options{Store: w.store, Origin: client, Policy: routes, Log: slog.New(slog.DiscardHandler), Name: "test",
		MaxWaiters: or(set.waiters, 1000), WaitTimeout: or(set.wait, 10*time.Second), MaxBody: or(set.maxBody, 1<<20)}
	if set.options != nil {
		set.options(&o)
	}
	w.s = newServer(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.addr = ln.Addr().String()
	server := &http1.Server{Handler: w.s, Log: o.Log, Stall: or(set.stall, 5*time.Second)}
	w.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 300},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var wg sync.WaitGroup
	run, stop := context.WithCancel(context.Background())
	wg.Go(func() { _ = server.Serve(ln) })
	wg.Go(func() { _ = pool.Run(run) })
	wg.Go(func() { _ = w.s.runFills(run) })
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		_ = server.Close()
		stop()
		wg.Wait()
		client.Close()
		w.store.Close()
		cancel()
		own.CloseClientConnections()
		own.Close()
	})
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) serveOrigin(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	h := w.handler
	w.requests = append(w.requests, r.Clone(context.Background()))
	w.mu.Unlock()
	w.count.Add(1)
	h(rw, r)
}

// answer sets what the origin does from now on.
func (w *world) answer(h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handler = h
}

// fields sets an origin that answers with these header lines ("Name: value") and a body that says how many
// requests it has seen.
func (w *world) fields(status int, lines ...string) {
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		setFields(rw.Header(), lines)
		rw.WriteHeader(status)
		if status != 304 && status != 204 {
			fmt.Fprintf(rw, "answer %d", w.count.Load())
		}
	})
}

func setFields(h http.Header, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h[http.CanonicalHeaderKey(name)] = append(h[http.CanonicalHeaderKey(name)], value)
	}
}

// seen is how many requests reached the origin.
func (w *world) seen() int { return int(w.count.Load()) }

// last is the last request that the origin saw.
func (w *world) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.requests) == 0 {
		w.t.Fatal("the origin saw no request")
	}
	return w.requests[len(w.requests)-1]
}

// reply is a response with its body read.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
}

func (r *reply) cs() string { return r.Header.Get("Cache-Status") }
func (r *reply) hit() bool  { return strings.Contains(r.cs(), "; hit") }

func (w *world) get(path string, lines ...string) *reply { return w.do("GET", path, "", lines...) }

func (w *world) do(method, path, body string, lines ...string) *reply {
	w.t.Helper()
	r, err := w.try(method, path, body, lines...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (w *world) try(method, path, body string, lines ...string) (*reply, error) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	rq, err := http.NewRequestWithContext(w.ctx, method, "http://"+w.addr+path, in)
	if err != nil {
		return nil, err
	}
	setFields(rq.Header, lines)
	if host := rq.Header.Get("Host"); host != "" {
		rq.Host = host
		rq.Header.Del("Host")
	}
	resp, err := w.client.Do(rq)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &reply{resp, string(b), err}, nil
}

// raw sends bytes on a connection of its own and returns it with a reader.
func (w *world) raw(text string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	must(w.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	must(w.t, err)
	return c, bufio.NewReader(c)
}

// await polls a condition that another goroutine brings about.
func (w *world) await(what string, cond func() bool) {
	w.t.Helper()
	for !cond() {
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("never: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// rawOrigin is an origin that answers with bytes.
func rawOrigin(t *testing.T, serve func(c net.Conn, rq *http.Request)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					rq, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, rq.Body)
					serve(c, rq)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func date(offset time.Duration) string { return time.Now().Add(offset).UTC().Format(http.TimeFormat) }

func ageOf(t *testing.T, r *reply) int {
	t.Helper()
	n, err := strconv.Atoi(r.Header.Get("Age"))
	if err != nil {
		t.Fatalf("Age %q: %v", r.Header.Get("Age"), err)
	}
	return n
}

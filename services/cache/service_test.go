package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/cache/accesslog"
	"github.com/flotilla-dev/flotilla/services/cache/fanout"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"

	"github.com/flotilla-dev/flotilla/internal/await"
)

const sessionPolicy = "routes: [{name: recent, prefix: /v1/recent, pass: true, session: __Host-session}]"

// three starts origins that say who they are.
func three(t *testing.T) []string {
	var addrs []string
	for i := range 3 {
		o := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-Served-By", fmt.Sprint("o", i))
			rw.Header().Set("X-Cookie", r.Header.Get("Cookie"))
			rw.Header().Set("Cache-Control", "no-store")
		}))
		t.Cleanup(o.Close)
		addrs = append(addrs, o.Listener.Addr().String())
	}
	return addrs
}

func TestASessionIsMintedOnceAndReachesOneReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: sessionPolicy, origins: three(t)})
	r := w.get("/v1/recent", "Cookie: other=1")
	set := r.Header.Get("Set-Cookie")
	pair, attributes, _ := strings.Cut(set, "; ")
	if !strings.HasPrefix(pair, "__Host-session=") || len(pair) < 30 || attributes != "Path=/; Secure; HttpOnly; SameSite=Lax" {
		t.Fatalf("Set-Cookie %q", set)
	}
	if got := r.Header.Get("X-Cookie"); got != "other=1; "+pair {
		t.Errorf("the replica saw Cookie %q", got)
	}
	home := r.Header.Get("X-Served-By")
	for range 20 {
		r := w.get("/v1/recent", "Cookie: a=b; "+pair)
		if r.Header.Get("X-Served-By") != home || r.Header.Get("Set-Cookie") != "" || r.Header.Get("X-Cookie") != "a=b; "+pair {
			t.Fatalf("%s, want %s; Set-Cookie %q, Cookie %q", r.Header.Get("X-Served-By"), home, r.Header.Get("Set-Cookie"), r.Header.Get("X-Cookie"))
		}
	}
}

func TestSessionsSpreadOverAllReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: sessionPolicy, origins: three(t)})
	served := map[string]int{}
	for range 60 {
		served[w.get("/v1/recent").Header.Get("X-Served-By")]++
	}
	if len(served) != 3 {
		t.Errorf("replicas %v", served)
	}
}

func TestAMalformedSessionIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: sessionPolicy, origins: three(t)})
	r := w.get("/v1/recent", "Cookie: __Host-session="+strings.Repeat("x", 500)+"; a=b")
	if got := r.Header.Get("X-Cookie"); r.Header.Get("Set-Cookie") == "" || !strings.HasPrefix(got, "a=b; __Host-session=") || len(got) > 60 {
		t.Errorf("Cookie %q", got)
	}
}

func TestPassedRoutesAreNeitherStoredNorCoalesced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "routes: [{name: random, prefix: /v1/random, pass: true}]"})
	for range 3 {
		if r := w.get("/v1/random?x"); r.hit() || !strings.Contains(r.cs(), "fwd=bypass") {
			t.Errorf("%s", r.cs())
		}
	}
	if w.seen() != 3 {
		t.Errorf("origin saw %d", w.seen())
	}
}

func TestThePathGoesUpstreamAsItCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for _, target := range []string{"/tcp%2Fip", "/tcp%2fip?a=%2F&b", "/a//b/../c", "//double/slash", "/%64og", "/a?", "/sp%20ace;p=1,2", "/quote'\"|{}"} {
		_, br := w.raw("GET " + target + " HTTP/1.1\r\nHost: " + w.addr + "\r\nConnection: close\r\n\r\n")
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		got := w.last().RequestURI
		if got != target && got != "http://"+strings.Split(got, "/")[2]+target {
			t.Errorf("%s went upstream as %s", target, got)
		}
	}
}

func TestEncodedSlashIsAnotherResource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.get("/tcp%2Fip")
	if w.get("/tcp/ip").hit() {
		t.Error("/tcp/ip was answered with /tcp%2Fip")
	}
	if !w.get("/tcp%2fip").hit() || !w.get("/%74cp%2Fip").hit() {
		t.Error("equivalent encodings are not one resource")
	}
}

func TestForwardingFieldsOfStrangersAreReplaced(t *testing.T) {
	t.Parallel()
	spoof := []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6"}
	w := newWorld(t, settings{})
	w.get("/", spoof...)
	up := w.last().Header
	if up.Get("X-Forwarded-For") != "127.0.0.1" || up.Get("X-Forwarded-Proto") != "http" || up.Get("X-Real-IP") != "" || up.Get("Forwarded") != "" || up.Get("X-Forwarded-Host") != w.addr {
		t.Errorf("%v", up)
	}
	var trusted forwarded.Trusted
	must(t, trusted.UnmarshalText([]byte("127.0.0.0/8")))
	w = newWorld(t, settings{options: func(o *Options) { o.Trusted = trusted }})
	w.get("/", spoof...)
	up = w.last().Header
	if up.Get("X-Forwarded-For") != "6.6.6.6, 127.0.0.1" || up.Get("X-Forwarded-Proto") != "gopher" || up.Get("X-Real-IP") != "6.6.6.6" {
		t.Errorf("%v", up)
	}
}

func TestADeadReplicaCostsNoRequest(t *testing.T) {
	t.Parallel()
	live := three(t)
	w := newWorld(t, settings{origins: []string{nettest.Refuse(t), live[0], live[1]}})
	for i := range 20 {
		if r := w.get(fmt.Sprint("/", i)); r.StatusCode != 200 {
			t.Errorf("status %d", r.StatusCode)
		}
	}
	if r := w.do("POST", "/", "small"); r.StatusCode != 200 {
		t.Errorf("POST that never reached a replica: status %d", r.StatusCode)
	}
}

func TestAPostThatReachedAReplicaIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { hangUp(rw) })
	if r := w.do("POST", "/", "x"); r.StatusCode != 502 || w.seen() != 1 {
		t.Errorf("status %d, origin saw %d", r.StatusCode, w.seen())
	}
}

func TestUpstreamDownWithoutAnythingStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{noUpstream: true})
	r := w.get("/")
	if r.StatusCode != 502 || r.Header.Get("Content-Type") != problem.ContentType || !strings.Contains(r.body, "upstream-broken") {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
	if r := w.get("/"); r.StatusCode != 502 {
		t.Errorf("the error was stored: %s", r.cs())
	}
}

func TestASlowOriginIsATimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{header: 50 * time.Millisecond})
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	w.answer(func(http.ResponseWriter, *http.Request) { <-done })
	if r := w.get("/"); r.StatusCode != 504 {
		t.Errorf("status %d", r.StatusCode)
	}
}

func TestRequestBodiesArePassedAndBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{maxBody: 256 << 10})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, n)
	})
	for _, n := range []int{1, 64 << 10, 200 << 10} {
		if r := w.do("POST", "/", strings.Repeat("x", n)); r.body != fmt.Sprint(n) {
			t.Errorf("%d bytes became %q", n, r.body)
		}
	}
	if r, err := w.try("POST", "/", strings.Repeat("x", 300<<10)); err == nil && r.StatusCode != 413 {
		t.Errorf("declared: status %d", r.StatusCode)
	}
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 100<<10, strings.Repeat("x", 100<<10))
	_, br := w.raw("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	must(t, err)
	if b, _ := io.ReadAll(resp.Body); string(b) != fmt.Sprint(200<<10) {
		t.Errorf("chunked: %q", b)
	}
}

// A stranger could otherwise take replicas out of use by sending them bodies that break off.
func TestABrokenRequestBodyIsNotHeldAgainstTheReplica(t *testing.T) {
	t.Parallel()
	_, strict := upstream.Default()
	w := newWorld(t, settings{health: strict, stall: 300 * time.Millisecond, maxBody: 256 << 10})
	w.answer(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	const head = "POST / HTTP/1.1\r\nHost: x\r\n"
	const chunked, large = head + "Transfer-Encoding: chunked\r\n\r\n", head + "Content-Length: 100000\r\n\r\n"
	for _, c := range []struct {
		name, text string
		cut        bool // the client sends no more
		status     int
		problem    string
	}{
		{"malformed chunk", chunked + "3\r\nabcd\r\n", false, 400, "malformed-request"},
		{"malformed trailer", chunked + "0\r\nno field\r\n\r\n", false, 400, "malformed-request"},
		{"cut off", large + "abc", true, 400, "body-incomplete"},
		{"cut off, chunked", chunked + "3\r\nabc\r\n", true, 400, "body-incomplete"},
		{"cut off, small", head + "Content-Length: 5\r\n\r\nabc", true, 400, "body-incomplete"},
		{"stalled", large + "abc", false, 408, "too-slow"},
		{"stalled, small", head + "Content-Length: 5\r\n\r\nabc", false, 408, "too-slow"},
		{"too large", chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 300<<10, strings.Repeat("x", 300<<10)), false, 413, "body-too-large"},
	} {
		conn, br := w.raw(c.text)
		if c.cut {
			must(t, conn.(*net.TCPConn).CloseWrite())
		}
		resp, err := http.ReadResponse(br, nil)
		must(t, err)
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != c.status || !resp.Close || !strings.Contains(string(b), c.problem) {
			t.Errorf("%s: %d, close %v, %s", c.name, resp.StatusCode, resp.Close, b)
		}
	}
	for _, e := range w.pool.Snapshot().Endpoints {
		if e.Ejections > 0 {
			t.Errorf("the replica was taken out of use: %v", e.Outcomes)
		}
	}
}

func TestAFullCacheEvictsAndStaysWithinItsBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{memory: 1 << 20})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = rw.Write(make([]byte, 64<<10))
	})
	for i := range 100 {
		if r := w.get(fmt.Sprint("/", i)); len(r.body) != 64<<10 {
			t.Fatalf("%d bytes", len(r.body))
		}
	}
	w.await("the store is within its limit", func() bool { return w.store.Weight() <= 1<<20 })
}

func TestABrokenPolicyLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "routes: [{name: a, prefix: /a, pass: true}]"})
	w.s.reload([]byte("routes: [{name: b, prefix: nowhere}]"))
	if r := w.get("/a"); !strings.Contains(r.cs(), "fwd=bypass") {
		t.Errorf("%s", r.cs())
	}
	w.s.reload([]byte("routes: [{name: b, prefix: /b, pass: true}]"))
	if r := w.get("/a"); strings.Contains(r.cs(), "fwd=bypass") {
		t.Errorf("%s", r.cs())
	}
}

func TestOrdersTakeResponsesOutOfUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		order fanout.Command
		gone  bool
	}{
		{"purge", fanout.Command{URL: "http://HOST/a?b"}, true},
		{"purge with host", fanout.Command{URL: "/a?b", Host: "HOST"}, true},
		{"purge of another", fanout.Command{URL: "http://HOST/a"}, false},
		{"pattern", fanout.Command{Ban: `^/a\?`}, true},
		{"pattern of another host", fanout.Command{Ban: `^/a`, Host: "other.example"}, false},
		{"pattern that does not match", fanout.Command{Ban: `^/b`}, false},
		{"key", fanout.Command{Keys: []string{"k2"}}, true},
		{"another key", fanout.Command{Keys: []string{"k"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			w.fields(200, "Cache-Control: max-age=60", "Surrogate-Key: k1 k2", "Vary: X-A")
			for _, a := range []string{"1", "2"} {
				if r := w.get("/a?b", "X-A: "+a); r.Header.Get("Surrogate-Key") != "" {
					t.Error("Surrogate-Key reached the client")
				}
			}
			c.order.URL = strings.ReplaceAll(c.order.URL, "HOST", w.addr)
			c.order.Host = strings.ReplaceAll(c.order.Host, "HOST", w.addr)
			_, err := w.s.Apply(c.order)
			must(t, err)
			for _, a := range []string{"1", "2"} {
				if r := w.get("/a?b", "X-A: "+a); r.hit() == c.gone {
					t.Errorf("hit %v: %s", r.hit(), r.cs())
				}
				if r := w.get("/a?b", "X-A: "+a); !r.hit() {
					t.Errorf("a later answer was not stored: %s", r.cs())
				}
			}
		})
	}
}

func TestAnOrderCoversWhatIsArriving(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]fanout.Command{"purge": {URL: "/a"}, "pattern": {Ban: "^/a"}, "key": {Keys: []string{"k"}}} {
		w := newWorld(t, settings{})
		release := make(chan struct{})
		w.answer(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=60")
			rw.Header().Set("Surrogate-Key", "k")
			<-release
			_, _ = io.WriteString(rw, "old")
		})
		done := make(chan *reply)
		go func() { done <- w.get("/a") }()
		w.await("the origin is asked", func() bool { return w.seen() == 1 })
		if order.URL != "" {
			order.Host = w.addr
		}
		_, err := w.s.Apply(order)
		must(t, err)
		w.store.Sweep(time.Now()) // must not retire the ban
		close(release)
		if r := <-done; r.body != "old" {
			t.Errorf("%s: %q", name, r.body)
		}
		w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
		if r := w.get("/a"); r.hit() {
			t.Errorf("%s: what was asked for before the order is a hit after it", name)
		}
	}
}

func TestAFlushTakesEverythingOutOfUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for _, path := range []string{"/a", "/b"} {
		w.get(path)
		w.get(path)
	}
	w.s.Flush()
	for _, path := range []string{"/a", "/b"} {
		if r := w.get(path); r.hit() {
			t.Errorf("%s: %s", path, r.cs())
		}
		if r := w.get(path); !r.hit() {
			t.Errorf("%s is not stored again: %s", path, r.cs())
		}
	}
}

// gate is an Admission that lets n requests through.
type gate struct {
	left int
	done atomic.Int64
}

func (g *gate) Admit(c *Caller, with rfc9111.Header) (rfc9111.Header, *problem.Problem, string) {
	with = append(with, rfc9111.Field{Name: "X-RateLimit-Remaining", Value: fmt.Sprint(g.left)})
	if g.left--; g.left < 0 {
		return with, problem.New(429, "limited", "slow down").Retry(time.Second), c.Client.String()
	}
	return with, nil, ""
}
func (g *gate) Done(*Caller) { g.done.Add(1) }

func TestAdmissionComesFirstAndItsFieldsAreOnEveryResponse(t *testing.T) {
	t.Parallel()
	g := &gate{left: 2}
	w := newWorld(t, settings{options: func(o *Options) { o.Admission = g }})
	for i, want := range []int{200, 200, 429} {
		r := w.get("/")
		if r.StatusCode != want || r.Header.Get("X-RateLimit-Remaining") != fmt.Sprint(2-i) {
			t.Errorf("%d: %d %q", i, r.StatusCode, r.Header.Get("X-RateLimit-Remaining"))
		}
	}
	w.await("two are done", func() bool { return g.done.Load() == 2 })
}

func TestTheAccessLogSaysHowTheRequestWasAnswered(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := accesslog.New(&out, 1, "cache", "c1")
	g := &gate{left: 2}
	w := newWorld(t, settings{options: func(o *Options) { o.Access, o.Admission = log, g }})
	w.get("/dog?a=\"b\"")
	w.get("/dog?a=\"b\"", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	w.await("both are logged", func() bool { return g.done.Load() == 2 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, log.Run(ctx))
	var outcomes []string
	for line := range strings.Lines(out.String()) {
		var e struct {
			Cache, Path, Query, Client, Route, Instance string
			Status                                      int
			TraceID                                     string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Path != "/dog" || e.Status != 200 || e.Client != "127.0.0.1" || e.Route != "default" || e.Instance != "c1" {
			t.Errorf("%s", line)
		}
		outcomes = append(outcomes, e.Cache)
	}
	if strings.Join(outcomes, " ") != "miss hit" {
		t.Errorf("outcomes %v", outcomes)
	}
}

// running starts the whole program.
func running(t *testing.T, environ map[string]string) (data, admin string, stop func()) {
	t.Helper()
	environ["CACHE_ACCESS_LOG"] = "0"
	environ["CACHE_THREADS"] = "0" // the tests are in the same process
	cfg := processtest.Parse[Config](t, Program, environ)
	program := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return program.Data, program.Admin, func() {
		if err := program.Stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

func ask(t *testing.T, method, url, body string, lines ...string) *reply {
	t.Helper()
	rq, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	setFields(rq.Header, lines)
	resp, err := http.DefaultClient.Do(rq)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &reply{resp, string(b), err}
}

func TestTheProgramServesPurgesReloadsAndStops(t *testing.T) {
	dir := t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "policy.yaml")
	must(t, os.WriteFile(token, []byte("0123456789abcdef"), 0o600))
	must(t, os.WriteFile(file, []byte("routes: []"), 0o600))
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(rw, "hello")
	}))
	defer up.Close()
	data, admin, stop := running(t, map[string]string{"CACHE_UPSTREAM": up.Listener.Addr().String(),
		"ADMIN_TOKEN_FILE": token, "CACHE_POLICY_FILE": file})
	defer stop()
	url := "http://" + data + "/"
	ask(t, "GET", url, "")
	if r := ask(t, "GET", url, ""); !r.hit() {
		t.Errorf("%s", r.cs())
	}
	order := fmt.Sprintf(`{"url":%q}`, url)
	if r := ask(t, "POST", "http://"+admin+"/v1/invalidations", order); r.StatusCode != 401 {
		t.Errorf("without token: %d", r.StatusCode)
	}
	for _, wrong := range []string{`{}`, `{"url":"/x","keys":["y"]}`, `{"ban":"("}`, `{"nothing":1}`, `{"url":"/x"}`, `[`} {
		if r := ask(t, "POST", "http://"+admin+"/v1/invalidations", wrong, "Authorization: Bearer 0123456789abcdef"); r.StatusCode != 400 && r.StatusCode != 422 {
			t.Errorf("%s: %d", wrong, r.StatusCode)
		}
	}
	if r := ask(t, "POST", "http://"+admin+"/v1/invalidations", order, "Authorization: Bearer 0123456789abcdef"); r.StatusCode != 200 {
		t.Errorf("purge: %d %s", r.StatusCode, r.body)
	}
	if r := ask(t, "GET", url, ""); r.hit() {
		t.Errorf("after the purge: %s", r.cs())
	}
	must(t, os.WriteFile(file, []byte("routes: [{name: all, prefix: /, pass: true}]"), 0o600))
	await.That(t, "the policy is reloaded", func() bool { return strings.Contains(ask(t, "GET", url, "").cs(), "bypass") })
	metrics := ask(t, "GET", "http://"+admin+"/metrics", "").body
	for _, name := range []string{`cache_requests_total{outcome="hit"} `, `cache_requests_total{outcome="miss"} 2`, "cache_stored_bytes", "cache_invalidated_total 1"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("metrics lack %s", name)
		}
	}
}

func TestWrongConfigurationIsNamedAtOnce(t *testing.T) {
	_, err := process.Parse[Config](Program, map[string]string{"CACHE_MEMORY": "12", "CACHE_WAIT_TIMEOUT": "5", "CACHE_TYPO": "x", "CACHE_TRUSTED_PROXIES": "here"})
	for _, name := range []string{"CACHE_UPSTREAM", "CACHE_MEMORY", "CACHE_WAIT_TIMEOUT", "CACHE_TYPO", "CACHE_TRUSTED_PROXIES"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	cfg, err := process.Parse[Config](Program, map[string]string{"CACHE_UPSTREAM": "x:1", "CACHE_MEMORY": "1KiB", "CACHE_ACCESS_LOG": "2", "RETRY_ATTEMPTS": "0", "EJECT_SHARE": "2",
		"CACHE_UPSTREAM_CA_FILE": "ca.pem", "CACHE_NAME": "a b", "CACHE_THREADS": "-1"})
	must(t, err)
	err = Run(context.Background(), cfg)
	for _, name := range []string{"CACHE_MEMORY", "CACHE_ACCESS_LOG", "RETRY_ATTEMPTS", "EJECT_SHARE", "CACHE_UPSTREAM_TLS", "CACHE_NAME", "CACHE_THREADS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

// The defaults of the program, not of a test, have to allow the retry.
func TestTheProgramRetriesOnAnotherReplica(t *testing.T) {
	up := three(t)
	data, _, stop := running(t, map[string]string{"CACHE_UPSTREAM": nettest.Refuse(t) + "," + up[0]})
	defer stop()
	for i := range 10 {
		if r := ask(t, "GET", fmt.Sprintf("http://%s/%d", data, i), ""); r.StatusCode != 200 {
			t.Errorf("status %d", r.StatusCode)
		}
	}
}

func TestReplicasAreSpokenToByTLSWithTheirName(t *testing.T) {
	var sni string
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sni = r.TLS.ServerName
		rw.Header().Set("Cache-Control", "max-age=60")
	}))
	up.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	ca := certstest.New(t)
	up.TLS = ca.Server("example.com")
	up.StartTLS()
	defer up.Close()
	for name, want := range map[string]int{"example.com": 200, "dictionary.internal": 502} {
		data, _, stop := running(t, map[string]string{"CACHE_UPSTREAM": up.Listener.Addr().String(), "CACHE_UPSTREAM_TLS": "on",
			"CACHE_UPSTREAM_CA_FILE": ca.File, "CACHE_UPSTREAM_SERVER_NAME": name})
		if r := ask(t, "GET", "http://"+data+"/", ""); r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", name, r.StatusCode, want)
		}
		stop()
	}
	if sni != "example.com" {
		t.Errorf("SNI %q", sni)
	}
}

func TestA304ThatIsPassedOnSaysNothingAboutLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "routes: [{name: all, prefix: /, pass: true}]"})
	w.fields(304, `ETag: "a"`)
	r := w.get("/", `If-None-Match: "a"`)
	if r.StatusCode != 304 || len(r.Header["Content-Length"]) != 0 {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

func TestAGetWithAnEmptyChunkedBodyIsAnsweredFromTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.get("/")
	const get = "GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"
	head := strings.ReplaceAll(get, "HOST", w.addr)
	_, br := w.raw(head + "0\r\n\r\n" + head + "1\r\nx\r\n0\r\n\r\n")
	for _, want := range []string{"; hit", "fwd=request"} {
		resp, err := http.ReadResponse(br, nil)
		must(t, err)
		if cs := resp.Header.Get("Cache-Status"); !strings.Contains(cs, want) {
			t.Errorf("%s, want %s", cs, want)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

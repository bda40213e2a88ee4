package shardproxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/internal/sharding"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// three are shards a, b and c of two replicas each.
func three(t testing.TB, handle http.HandlerFunc) (text string, all map[string]*replica) {
	t.Helper()
	all = map[string]*replica{}
	for _, name := range []string{"a", "b", "c"} {
		for _, n := range []string{"1", "2"} {
			all[name+n] = newReplica(t, name+n, handle)
		}
		text += entry(name, all[name+"1"].addr(), all[name+"2"].addr())
	}
	return text, all
}

// Losing one replica of two costs nothing, and moves no key to another shard.
func TestAReplicaThatDiesIsReplacedByItsTwin(t *testing.T) {
	t.Parallel()
	for name, checked := range map[string]bool{"checked": true, "passive": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, all := three(t, nil)
			if !checked {
				text = ""
				for _, shard := range []string{"a", "b", "c"} {
					text += entry(shard, all[shard+"1"].bare(), all[shard+"2"].bare())
				}
			}
			w := start(t, text, nil)
			p := place(t, "shards:\n"+text)
			w.eventually("both replicas of b", func() bool { // ready is who has one
				b := w.shard("b").Replicas
				return b[0].Usable && b[1].Usable
			})
			all["b1"].die()
			for i := range 300 {
				path := fmt.Sprintf("/%d", i)
				resp, body := w.get(path)
				if want := p.Shards[p.Home(layout.Of([]byte(path)))].Name; resp.StatusCode != 200 || resp.Header.Get("X-Shard") != want {
					t.Fatalf("%s: %d from %s, want %s: %s", path, resp.StatusCode, resp.Header.Get("X-Shard"), want, body)
				}
			}
			if n := all["b1"].asked.Load(); n > 0 {
				t.Errorf("the dead one answered %d", n)
			}
		})
	}
}

// While a whole shard is away the next one in the order of each key stands in, no other
// key moves, and the keys come back with it.
func TestALostShardIsStoodInForAndGetsItsKeysBack(t *testing.T) {
	t.Parallel()
	text, all := three(t, nil)
	w := start(t, text, nil)
	p := place(t, "shards:\n"+text)
	paths := make([]string, 200)
	for i := range paths {
		paths[i] = fmt.Sprintf("/%d", i)
	}
	check := func(lost string) {
		t.Helper()
		for _, path := range paths {
			want := p.Shards[p.First(layout.Of([]byte(path)), func(i int) bool { return p.Shards[i].Name != lost })].Name
			if resp, body := w.get(path); resp.StatusCode != 200 || resp.Header.Get("X-Shard") != want {
				t.Fatalf("%s without %q: %d from %s, want %s: %s", path, lost, resp.StatusCode, resp.Header.Get("X-Shard"), want, body)
			}
		}
	}
	check("")
	all["b1"].status.Store(503)
	all["b2"].status.Store(503)
	w.eventually("lost", func() bool { return w.shard("b").State == stateLost })
	check("b")
	if s := w.shard("b"); s.StandIns != 0 {
		t.Errorf("b stood in for others: %+v", s)
	}
	if w.shard("a").StandIns+w.shard("c").StandIns == 0 {
		t.Error("nobody stood in")
	}
	all["b2"].status.Store(200)
	w.eventually("back", func() bool { return w.shard("b").State == stateActive })
	check("")
}

// Without checks a dead shard is known by nothing but its refusals: no request is lost by it.
func TestADeadShardWithoutChecksLosesNoRequest(t *testing.T) {
	t.Parallel()
	a, b := newReplica(t, "a", nil), newReplica(t, "b", nil)
	text := entry("a", a.bare()) + entry("b", b.bare())
	w := start(t, text, map[string]string{"EJECT_BASE": "1h", "EJECT_MAX": "1h"})
	path := pathOf(t, text, "a")
	if from := w.from(path); from != "a" {
		t.Fatalf("%s from %s", path, from)
	}
	a.die()
	for range 20 {
		if from := w.from(path); from != "b" {
			t.Fatalf("from %s", from)
		}
	}
	if s := w.shard("a"); s.State != stateLost {
		t.Errorf("%+v", s)
	}
	if s := w.shard("b"); s.StandIns != 20 {
		t.Errorf("%d stand-ins, want 20", s.StandIns)
	}
	// A request whose body is on its way may not be sent twice; this one was sent to nobody.
	resp, err := http.Post("http://"+w.Data+path, "text/plain", io.MultiReader(strings.NewReader("abc")))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// What was sent may have had its effect: nobody else is asked.
func TestARequestThatMayHaveBeenServedIsNotSentToAnotherShard(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	b := newReplica(t, "b", nil)
	text := entry("a", a.addr()) + entry("b", b.addr())
	w := start(t, text, nil)
	path := pathOf(t, text, "a")
	resp, err := http.Post("http://"+w.Data+path, "text/plain", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 502 || b.asked.Load() != 0 {
		t.Errorf("%d, the other shard got %d", resp.StatusCode, b.asked.Load())
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	// A request that breaks whoever serves it, and may be sent twice, does not walk through
	// all shards.
	if resp, _ := w.get(path); resp.StatusCode != 502 || b.asked.Load() != 0 {
		t.Errorf("GET: %d, the other shard got %d", resp.StatusCode, b.asked.Load())
	}
}

// Errors that are the fault of a request do not take a shard out, or one after the other.
func TestAnswersWithErrorsMoveNoKey(t *testing.T) {
	t.Parallel()
	var text string
	for _, name := range []string{"a", "b"} {
		text += entry(name, newReplica(t, name, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }).bare())
	}
	w := start(t, text, map[string]string{"EJECT_BASE": "1h", "EJECT_MAX": "1h"})
	for range 20 {
		if resp, _ := w.get(pathOf(t, text, "a")); resp.StatusCode != 500 || resp.Header.Get("X-From") != "a" {
			t.Fatalf("%d from %q", resp.StatusCode, resp.Header.Get("X-From"))
		}
	}
}

// When no shard can be reached they are asked all the same: there is nothing to lose.
func TestWhenNothingCanBeReachedTheOwnerIsTried(t *testing.T) {
	t.Parallel()
	a, b := newReplica(t, "a", nil), newReplica(t, "b", nil)
	addr := a.bare()
	text := entry("a", addr) + entry("b", b.bare())
	w := start(t, text, map[string]string{"EJECT_BASE": "1h", "EJECT_MAX": "1h", "EJECT_AFTER": "1"})
	a.die()
	b.die()
	path := pathOf(t, text, "a")
	for range 5 {
		if resp, body := w.get(path); resp.StatusCode != 502 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	again := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-From", "again") }))
	again.Listener.Close()
	again.Listener = ln
	again.Start()
	defer again.Close()
	if from := w.from(path); from != "again" {
		t.Error(from)
	}
	if s := w.shard("a"); s.State != stateActive {
		t.Errorf("%+v", s)
	}
}

// A shard that is lost while it has a request: what may be sent twice is sent to who stands in,
// what may not is not, because it may have had its effect.
func TestARequestThatIsUnderWayWhenItsShardIsLost(t *testing.T) {
	t.Parallel()
	var a *replica
	lost := make(chan struct{}, 1)
	a = newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		a.status.Store(503)
		waitFor(lost, r)
		panic(http.ErrAbortHandler)
	})
	b := newReplica(t, "b", nil)
	text := entry("a", a.addr()) + entry("b", b.addr())
	w := start(t, text, map[string]string{"EJECT_AFTER": "0"})
	path := pathOf(t, text, "a")
	for method, want := range map[string]int{http.MethodPost: 502, http.MethodGet: 200} {
		status := make(chan int, 1)
		go func() {
			req, err := http.NewRequest(method, "http://"+w.Data+path, nil)
			if err != nil {
				t.Error(err)
				status <- 0
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				status <- 0
				return
			}
			_ = resp.Body.Close()
			status <- resp.StatusCode
		}()
		w.eventually("lost", func() bool { return w.shard("a").State == stateLost })
		before := b.asked.Load()
		lost <- struct{}{}
		if got := <-status; got != want || b.asked.Load()-before != map[int]int64{502: 0, 200: 1}[want] {
			t.Errorf("%s: %d, want %d; the other shard got %d", method, got, want, b.asked.Load()-before)
		}
		a.status.Store(200)
		w.eventually("back", func() bool { return w.shard("a").State == stateActive })
	}
}

func TestWithFailTheKeysOfALostShardAreRefused(t *testing.T) {
	t.Parallel()
	a, b := newReplica(t, "a", nil), newReplica(t, "b", nil)
	text := entry("a", a.addr()) + entry("b", b.addr())
	w := start(t, text, map[string]string{"SHARDPROXY_SHARD_LOSS": "fail"})
	a.status.Store(503)
	w.eventually("lost", func() bool { return w.shard("a").State == stateLost })
	resp, body := w.get(pathOf(t, text, "a"))
	if resp.StatusCode != 503 || !strings.Contains(body, "shard-lost") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if from := w.from(pathOf(t, text, "b")); from != "b" {
		t.Errorf("from %s", from)
	}
}

// A shard that drains, or is taken out, finishes what it has while its keys go elsewhere;
// one that joins gets its keys. No request is lost by any of that.
func TestShardsDrainLeaveAndJoinUnderLoad(t *testing.T) {
	t.Parallel()
	text, _ := three(t, nil)
	d := newReplica(t, "d", nil)
	w := start(t, text, nil)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var served [4]atomic.Int64
	for n := range served {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := http.Get(fmt.Sprintf("http://%s/%d/%d", w.Data, n, i))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%d %s %v", resp.StatusCode, body, err)
					return
				}
				served[n].Add(1)
			}
		})
	}
	more := func() { // of every client, so that none is still at a request that it began before
		var from [len(served)]int64
		for n := range served {
			from[n] = served[n].Load()
		}
		w.eventually("more requests", func() bool {
			for n := range served {
				if served[n].Load() < from[n]+12 && !t.Failed() {
					return false
				}
			}
			return true
		})
	}
	more()
	w.admin(http.MethodPost, "/v1/shards/b/drain", "", 200, nil)
	more() // a request may have chosen b before, and not yet be counted there
	before := w.shard("b").Requests
	more()
	if n := w.shard("b").Requests; n != before {
		t.Errorf("a draining shard got %d more requests", n-before)
	}
	w.admin(http.MethodPost, "/v1/shards/b/activate", "", 200, nil)
	w.eventually("b has requests again", func() bool { return w.shard("b").Requests > before })
	w.write(text + entry("d", d.addr()))
	w.eventually("d has requests", func() bool { return d.asked.Load() > 0 })
	w.write(strings.Split(text, "- {name: \"b\"")[0] + "- {name: \"c\"" + strings.Split(text, "- {name: \"c\"")[1] + entry("d", d.addr()))
	w.eventually("b is gone", func() bool {
		for _, s := range w.shards() {
			if s.Name == "b" {
				return false
			}
		}
		return true
	})
	more()
	close(stop)
	clients.Wait()
}

// A shard that was taken out still ends what it began, however long that takes.
func TestARequestOutlivesItsShard(t *testing.T) {
	t.Parallel()
	came, goOn := make(chan struct{}), make(chan struct{})
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		close(came)
		waitFor(goOn, r)
		_, _ = io.WriteString(w, "whole")
	})
	b := newReplica(t, "b", nil)
	text := entry("a", a.addr()) + entry("b", b.addr())
	w := start(t, text, nil)
	path := pathOf(t, text, "a")
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + w.Data + path)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-came
	w.write(entry("b", b.addr()))
	w.eventually("a leaves", func() bool { return w.shard("a").State == stateLeaving })
	if from := w.from(path); from != "b" {
		t.Errorf("%s from %s", path, from)
	}
	close(goOn)
	if got := <-answer; got != "whole" {
		t.Error(got)
	}
	w.eventually("a is gone", func() bool { return len(w.shards()) == 1 })
}

// A popular key does not keep its shard busier than the bound allows.
func TestBoundedLoadsSpreadAHotKey(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	text, _ := three(t, func(_ http.ResponseWriter, r *http.Request) { waitFor(goOn, r) })
	bounded := "bounded_load: 1.25\nshards:\n" + text
	w := start(t, bounded, nil)
	var clients sync.WaitGroup
	const n = 30
	for range n {
		clients.Go(func() {
			resp, err := http.Get("http://" + w.Data + "/hot")
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	total := func() (all, most int64) {
		for _, s := range w.shards() {
			all, most = all+s.InFlight, max(most, s.InFlight)
		}
		return all, most
	}
	w.eventually("all in flight", func() bool { all, _ := total(); return all == n })
	// Requests that arrive together may each see the load before the others: hence the slack.
	if _, most := total(); most > n/3*5/4+4 {
		t.Errorf("a shard has %d of %d", most, n)
	}
	var where whereabouts
	w.admin(http.MethodGet, "/v1/shards?key=/hot", "", 200, &where)
	if where.Shard == nil || len(where.Order) != 3 {
		t.Errorf("%+v", where)
	}
	close(goOn)
	clients.Wait()
}

// Every function places end to end as the package of functions says.
func TestEveryFunctionPlacesAsItsOrderSays(t *testing.T) {
	t.Parallel()
	text, _ := three(t, nil)
	w := start(t, text, nil)
	for _, function := range sharding.OrderNames() {
		whole := "function: " + function + "\nshards:\n" + text
		w.admin(http.MethodPost, "/v1/plan?apply=true", whole, 200, nil)
		p := place(t, whole)
		for i := range 60 {
			path := fmt.Sprintf("/%d?x=%d", i, i)
			resp, _ := w.get(path)
			if want := p.Shards[p.Home(layout.Of([]byte(path)))].Name; resp.Header.Get("X-Shard") != want {
				t.Errorf("%s: %s lies in %s, want %s", function, path, resp.Header.Get("X-Shard"), want)
			}
		}
	}
}

func TestTheKeyIsWhatTheFileSays(t *testing.T) {
	t.Parallel()
	text, _ := three(t, nil)
	w := start(t, "key: country+path\nshards:\n"+text, map[string]string{"SHARDPROXY_TRUSTED_PROXIES": "127.0.0.1"})
	p := place(t, "shards:\n"+text)
	shardOf := func(key string) string { return p.Shards[p.Home(layout.Of([]byte(key)))].Name }
	for i := range 40 {
		path := fmt.Sprintf("/%d", i)
		resp, _ := w.get(path+"?q=1", "X-Forwarded-For", "192.0.2.1")
		again, _ := w.get(path+"?q=2", "X-Forwarded-For", "192.0.2.200")
		if one, two := resp.Header.Get("X-Shard"), again.Header.Get("X-Shard"); one != two {
			t.Errorf("%s lies in %s and %s", path, one, two)
		}
	}
	for _, c := range []struct{ key, path, header, value, want string }{
		{"header:X-User", "/a", "X-User", "ann", "ann"}, {"cookie:session", "/a", "Cookie", "x=1; session=s1; y=2", "s1"},
		{"cookie:session", "/a", "X-None", "1", "/a"}, {"path", "/a?b", "X-None", "1", "/a"}, {"header:x-user+uri", "/a?b", "X-USER", "eve", "eve /a?b"},
		{"client", "/a", "X-Forwarded-For", "198.51.100.7", "198.51.100.7"},
	} {
		w.admin(http.MethodPost, "/v1/plan?apply=true", "key: "+c.key+"\nshards:\n"+text, 200, nil)
		resp, _ := w.get(c.path, c.header, c.value)
		if got := resp.Header.Get("X-Shard"); got != shardOf(c.want) {
			t.Errorf("%s of %s with %s: in %s, want that of %q, %s", c.key, c.path, c.value, got, c.want, shardOf(c.want))
		}
		var where whereabouts
		w.admin(http.MethodGet, "/v1/shards?key="+url.QueryEscape(c.want), "", 200, &where)
		if where.Shard == nil || *where.Shard != shardOf(c.want) || where.Owner != *where.Shard || where.Why == "" {
			t.Errorf("%+v", where)
		}
	}
}

// Who has just been started does not tell clients 503 that another proxy could serve.
func TestAProxyThatSharesItsListenerAcceptsWhenItHasReplicas(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	a := newReplica(t, "a", nil)
	a.status.Store(503)
	w := begin(t, entry("a", a.addr()), map[string]string{"LISTEN_ADDR": fmt.Sprintf("fd:%d", fd)})
	w.eventually("checked", func() bool { return a.checked.Load() > 1 })
	answered := make(chan string, 1)
	go func() {
		conn := w.dial()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") // the answer tells
		answer, _ := io.ReadAll(conn)
		answered <- string(answer)
	}()
	checked := a.checked.Load()
	w.eventually("checked again", func() bool { return a.checked.Load() > checked+3 })
	a.status.Store(200)
	if answer := <-answered; !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("%.100q", answer)
	}
}

// The key is country alone, so that the country tells the shard.
func TestCountriesAreFollowedAndABrokenFileChangesNothing(t *testing.T) {
	t.Parallel()
	text, _ := three(t, nil)
	file := filepath.Join(t.TempDir(), "countries.csv")
	write := func(content string) {
		t.Helper()
		if err := atomicfile.Write(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := place(t, "shards:\n"+text)
	of := func(country string) string { return p.Shards[p.Home(layout.Of([]byte(country)))].Name }
	here, there := "AA", "AB"
	for of(there) == of(here) {
		there = string([]byte{there[0], there[1] + 1})
	}
	write("192.0.2.0/24," + here)
	w := start(t, "key: country\nshards:\n"+text, map[string]string{"SHARDPROXY_TRUSTED_PROXIES": "127.0.0.1", "SHARDPROXY_COUNTRY_FILE": file})
	shard := func() string {
		resp, _ := w.get("/", "X-Forwarded-For", "192.0.2.9")
		return resp.Header.Get("X-Shard")
	}
	counted := func(result string) bool {
		_, metrics := processtest.Get(t, "http://"+w.Admin+"/metrics")
		return strings.Contains(metrics, `shardproxy_country_reloads_total{result="`+result+`"} 1`)
	}
	if got := shard(); got != of(here) {
		t.Errorf("%s, want %s", got, of(here))
	}
	write("192.0.2.0/24," + there + "\nnonsense")
	w.eventually("refused", func() bool { return counted("refused") })
	if got := shard(); got != of(here) {
		t.Errorf("half a file is at work: %s", got)
	}
	write("192.0.2.0/24," + there)
	w.eventually("applied", func() bool { return counted("applied") })
	if got := shard(); got != of(there) {
		t.Errorf("%s, want %s", got, of(there))
	}
}

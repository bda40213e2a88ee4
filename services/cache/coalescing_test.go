package cache

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd sends n requests side by side and returns the replies.
func (w *world) crowd(n int, path string, lines ...string) []*reply {
	replies := make([]*reply, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r, err := w.try("GET", path, "", lines...)
			if err != nil {
				w.t.Error(err)
				return
			}
			replies[i] = r
		})
	}
	wg.Wait()
	return replies
}

func TestAHerdOnOneKeyIsOneUpstreamRequest(t *testing.T) {
	w := newWorld(t, settings{})
	const slow = 500 * time.Millisecond
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		time.Sleep(slow) // the origin's own time, not a synchronisation
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = rw.Write([]byte("one"))
	})
	waits := make([]time.Duration, 200)
	var wg sync.WaitGroup
	for i := range waits {
		wg.Go(func() {
			start := time.Now()
			if r, err := w.try("GET", "/", ""); err != nil || r.body != "one" {
				t.Errorf("%v %v", r, err)
			}
			waits[i] = time.Since(start)
		})
	}
	wg.Wait()
	if w.seen() != 1 {
		t.Errorf("origin saw %d requests, want 1", w.seen())
	}
	slices.Sort(waits)
	t.Logf("median wait %v, longest %v", waits[100], waits[199])
}

func TestWaitersReadTheBodyWhileItArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	next := make(chan string)
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		for part := range next {
			_, _ = io.WriteString(rw, part)
			rw.(http.Flusher).Flush()
		}
	})
	var bodies []io.Reader
	first := w.open("/")
	w.await("the origin is asked", func() bool { return w.seen() == 1 })
	second := w.open("/")
	w.await("the second waits", func() bool { return w.waiters("/") == 2 })
	next <- "first,"
	bodies = append(bodies, first(), second())
	for _, b := range bodies {
		expect(t, b, "first,")
	}
	late := w.open("/")() // one that comes when the body is half here
	expect(t, late, "first,")
	bodies = append(bodies, late)
	for _, part := range []string{"second,", "third"} {
		next <- part
		for _, b := range bodies {
			expect(t, b, part)
		}
	}
	close(next)
	for _, b := range bodies {
		if rest, err := io.ReadAll(b); len(rest) > 0 || err != nil {
			t.Errorf("rest %q, %v", rest, err)
		}
	}
	if w.seen() != 1 {
		t.Errorf("origin saw %d", w.seen())
	}
}

// open sends a request and returns a function that waits for the head and gives the body.
func (w *world) open(path string) func() io.Reader {
	_, br := w.raw("GET " + path + " HTTP/1.1\r\nHost: " + w.addr + "\r\n\r\n")
	return func() io.Reader {
		resp, err := http.ReadResponse(br, nil)
		must(w.t, err)
		return resp.Body
	}
}

// expect reads exactly want.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func TestUncacheableAnswersNeverSerialiseRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	const clients = 20
	var mu sync.Mutex
	inside, most := 0, 0
	together := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		inside++
		most = max(most, inside)
		if inside == clients {
			close(together)
		}
		mu.Unlock()
		rw.Header().Set("Cache-Control", "private")
		if w.seen() > 1 {
			<-together // nobody is answered until all are here
		}
		fmt.Fprint(rw, "mine")
		mu.Lock()
		inside--
		mu.Unlock()
	})
	w.get("/") // teaches that answers cannot be stored
	for _, r := range w.crowd(clients, "/") {
		if r.body != "mine" || !strings.Contains(r.cs(), "hit-for-miss") {
			t.Errorf("%q %s", r.body, r.cs())
		}
	}
	if most != clients {
		t.Errorf("%d at a time, want %d", most, clients)
	}
}

func TestThoseWhoWaitedForAnUncacheableAnswerGetTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		rw.Header().Set("Cache-Control", "private")
		fmt.Fprint(rw, r.Header.Get("X-User"))
	})
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			user := fmt.Sprint("user", i)
			if r := w.get("/", "X-User: "+user); r.body != user {
				t.Errorf("%s got the page of %q", user, r.body)
			}
		})
	}
	w.await("nine wait, and the first is with the origin", func() bool { return w.waiters("/") == 10 && w.seen() > 0 })
	if w.seen() != 1 {
		t.Errorf("origin saw %d before the first answer", w.seen())
	}
	close(release)
	wg.Wait()
	if w.seen() != 10 {
		t.Errorf("origin saw %d", w.seen())
	}
}

// waiters counts those who wait for a flight of the path, the leader included.
func (w *world) waiters(path string) int {
	w.s.flights.mu.Lock()
	defer w.s.flights.mu.Unlock()
	n := 0
	for _, f := range w.s.flights.byKey[w.addr+path] {
		f.mu.Lock()
		n += f.waiters
		f.mu.Unlock()
	}
	return n
}

func TestHitForMissStoresAgainWhenAnswersBecomeCacheable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: no-store")
	w.get("/")
	w.fields(200, "Cache-Control: max-age=60")
	w.get("/")
	w.await("it is stored", func() bool { return w.get("/").hit() })
}

func TestWaitersWithAnotherVariantDoNotGetTheWrongOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		rw.Header().Set("Cache-Control", "max-age=60")
		rw.Header().Set("Vary", "X-Lang")
		_, _ = io.WriteString(rw, r.Header.Get("X-Lang"))
	})
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			lang := []string{"de", "en"}[i%2]
			if r := w.get("/", "X-Lang: "+lang); r.body != lang {
				t.Errorf("%s got %q", lang, r.body)
			}
		})
	}
	w.await("all wait", func() bool { return w.waiters("/") == 10 })
	close(release)
	wg.Wait()
}

func TestTheWaitingListIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{waiters: 3})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		rw.Header().Set("Cache-Control", "max-age=60")
	})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { w.get("/") })
	}
	w.await("three wait", func() bool { return w.waiters("/") == 3 })
	if r := w.get("/"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	close(release)
	wg.Wait()
}

func TestTheWaitEndsByItsTimeLimitAndTheFillGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{wait: 50 * time.Millisecond})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		rw.Header().Set("Cache-Control", "max-age=60")
	})
	for range 2 {
		if r := w.get("/"); r.StatusCode != 504 {
			t.Errorf("status %d", r.StatusCode)
		}
	}
	close(release)
	w.await("it is stored", func() bool { return w.get("/").hit() })
	if w.seen() != 1 {
		t.Errorf("origin saw %d", w.seen())
	}
}

func TestAFailingOriginIsAskedOnceForAHerd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { <-release; rw.WriteHeader(500) })
	var wg sync.WaitGroup
	codes := make(chan int, 10)
	for range 10 {
		wg.Go(func() { codes <- w.get("/").StatusCode })
	}
	w.await("all wait", func() bool { return w.waiters("/") == 10 })
	close(release)
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if w.seen() != 1 || count[500] != 1 || count[502] != 9 {
		t.Errorf("origin saw %d, statuses %v", w.seen(), count)
	}
}

func TestTheFillGoesOnWhenTheClientHasGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(rw, "be")
		rw.(http.Flusher).Flush()
		<-release
		_, _ = io.WriteString(rw, "gun")
	})
	c, br := w.raw("GET / HTTP/1.1\r\nHost: " + w.addr + "\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	must(t, err)
	expect(t, resp.Body, "be")
	c.Close()
	close(release)
	w.await("it is stored", func() bool { r := w.get("/"); return r.hit() && r.body == "begun" })
	if w.seen() != 1 {
		t.Errorf("origin saw %d", w.seen())
	}
}

func TestASlowClientDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	large := strings.Repeat("x", 6<<20) // more than socket buffers hold
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(rw, large)
	})
	_, slow := w.raw("GET / HTTP/1.1\r\nHost: " + w.addr + "\r\n\r\n") // reads nothing yet
	w.await("the origin is asked", func() bool { return w.seen() == 1 })
	for range 3 {
		if r := w.get("/"); len(r.body) != len(large) {
			t.Errorf("%d bytes", len(r.body))
		}
	}
	resp, err := http.ReadResponse(slow, nil)
	must(t, err)
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != int64(len(large)) || err != nil {
		t.Errorf("the slow client got %d bytes: %v", n, err)
	}
	if w.seen() != 1 {
		t.Errorf("origin saw %d", w.seen())
	}
}

func TestLargeBodiesPassThroughAndAreNotStored(t *testing.T) {
	t.Parallel()
	for _, declared := range []bool{true, false} {
		w := newWorld(t, settings{policy: "defaults: {max_object: 64KiB}"})
		large := strings.Repeat("x", 5<<20)
		w.answer(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=60")
			if declared {
				rw.Header().Set("Content-Length", fmt.Sprint(len(large)))
			}
			_, _ = io.WriteString(rw, large)
		})
		for range 3 {
			if r := w.get("/"); r.err != nil || len(r.body) != len(large) || r.hit() {
				t.Errorf("declared %v: %d bytes, %v, %s", declared, len(r.body), r.err, r.cs())
			}
		}
		if w.seen() != 3 || w.store.Weight() > 64<<10 {
			t.Errorf("declared %v: origin saw %d, %d bytes stored", declared, w.seen(), w.store.Weight())
		}
		for _, r := range w.crowd(5, "/") {
			if len(r.body) != len(large) {
				t.Errorf("declared %v: %d bytes in a crowd", declared, len(r.body))
			}
		}
	}
}

// breaking is an origin that ends in the middle of a body.
func breaking(head string) func(c net.Conn, _ *http.Request) {
	return func(c net.Conn, _ *http.Request) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"+head)
		c.Close()
	}
}

func TestABrokenBodyIsVisibleAndNotStored(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"content length": "Content-Length: 100\r\n\r\nhalf",
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"within a chunk": "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
	} {
		for _, route := range []string{"", "routes: [{name: all, prefix: /, pass: true}]"} {
			addr := rawOrigin(t, breaking(head))
			w := newWorld(t, settings{origins: []string{addr}, policy: route})
			for range 2 {
				r, err := w.try("GET", "/", "")
				if err == nil && r.err == nil {
					t.Errorf("%s, policy %q: a whole response %d %q", name, route, r.StatusCode, r.body)
				}
			}
			if w.store.Weight() > 2000 {
				t.Errorf("%s: %d bytes stored", name, w.store.Weight())
			}
		}
	}
}

func TestAStalledBodyIsBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{stall: 50 * time.Millisecond})
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(rw, "half")
		rw.(http.Flusher).Flush()
		<-done
	})
	if r, err := w.try("GET", "/", ""); err == nil && r.err == nil {
		t.Errorf("a whole response %q", r.body)
	}
}

func TestAnEndlessUncacheableBodyEndsWithItsClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "defaults: {max_object: 64KiB}"})
	gone := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		piece := make([]byte, 32<<10)
		for r.Context().Err() == nil {
			if _, err := rw.Write(piece); err != nil {
				break
			}
		}
		close(gone)
	})
	c, br := w.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, err := io.CopyN(io.Discard, br, 4<<20)
	must(t, err)
	c.Close()
	select {
	case <-gone:
	case <-w.ctx.Done():
		t.Error("the origin still sends")
	}
}

package cache

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// canned is an origin that always answers with these bytes.
func canned(t *testing.T, response string) string {
	return rawOrigin(t, func(c net.Conn, _ *http.Request) { _, _ = c.Write([]byte(response)) })
}

// TestRequestDirectives is RFC 9111 5.2.1: what a request may demand of a stored response.
func TestRequestDirectives(t *testing.T) {
	t.Parallel()
	const fresh, stale = "Age: 20", "Age: 100" // of max-age=60
	for _, c := range []struct {
		name     string
		response []string
		request  string
		hit      bool
	}{
		{"fresh", []string{"Cache-Control: max-age=60", fresh}, "", true},
		{"no-cache", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: no-cache", false},
		{"Pragma no-cache", []string{"Cache-Control: max-age=60", fresh}, "Pragma: no-cache", false},
		{"max-age above the age", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: max-age=30", true},
		{"max-age below the age", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: max-age=10", false},
		{"max-age 0", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: max-age=0", false},
		{"min-fresh that is there", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: min-fresh=30", true},
		{"min-fresh that is not", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: min-fresh=50", false},
		{"invalid min-fresh is ignored", []string{"Cache-Control: max-age=60", fresh}, "Cache-Control: min-fresh=x", true},
		{"stale", []string{"Cache-Control: max-age=60", stale}, "", false},
		{"max-stale", []string{"Cache-Control: max-age=60", stale, `ETag: "a"`}, "Cache-Control: max-stale", true},
		{"max-stale that covers", []string{"Cache-Control: max-age=60", stale, `ETag: "a"`}, "Cache-Control: max-stale=50", true},
		{"max-stale that does not", []string{"Cache-Control: max-age=60", stale, `ETag: "a"`}, "Cache-Control: max-stale=30", false},
		{"must-revalidate forbids max-stale", []string{"Cache-Control: max-age=60, must-revalidate", stale, `ETag: "a"`}, "Cache-Control: max-stale", false},
		{"proxy-revalidate forbids max-stale", []string{"Cache-Control: max-age=60, proxy-revalidate", stale, `ETag: "a"`}, "Cache-Control: max-stale", false},
		{"s-maxage forbids max-stale", []string{"Cache-Control: s-maxage=60", stale, `ETag: "a"`}, "Cache-Control: max-stale", false},
		{"stale-while-revalidate", []string{"Cache-Control: max-age=60, stale-while-revalidate=60", stale}, "", true},
		{"stale-while-revalidate is over", []string{"Cache-Control: max-age=60, stale-while-revalidate=30", stale}, "", false},
		{"must-revalidate beats stale-while-revalidate", []string{"Cache-Control: max-age=60, must-revalidate, stale-while-revalidate=60", stale, `ETag: "a"`}, "", false},
		{"stale-while-revalidate beside s-maxage", []string{"Cache-Control: s-maxage=60, stale-while-revalidate=60", stale}, "", true},
		{"no-cache beats stale-while-revalidate", []string{"Cache-Control: max-age=60, stale-while-revalidate=60", stale}, "Cache-Control: no-cache", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{policy: "defaults: {error_grace: 0s}"})
			w.fields(200, c.response...)
			w.get("/")
			w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
			var lines []string
			if c.request != "" {
				lines = append(lines, c.request)
			}
			if r := w.get("/", lines...); r.hit() != c.hit {
				t.Errorf("hit %v, want %v: %s", r.hit(), c.hit, r.cs())
			}
		})
	}
}

func TestOnlyIfCachedGets504OnAMiss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	if r := w.get("/", "Cache-Control: only-if-cached"); r.StatusCode != 504 || w.seen() != 0 {
		t.Errorf("status %d, origin saw %d", r.StatusCode, w.seen())
	}
	w.get("/")
	if r := w.get("/", "Cache-Control: only-if-cached"); r.StatusCode != 200 || !r.hit() {
		t.Errorf("status %d after it was stored", r.StatusCode)
	}
}

func TestPolicyMayIgnoreTheClientsDirectives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "defaults: {ignore_client_cache_control: true}"})
	w.get("/")
	if r := w.get("/", "Cache-Control: no-cache", "Pragma: no-cache"); !r.hit() {
		t.Errorf("%s", r.cs())
	}
}

// TestVary is RFC 9111 4.1: which stored response a request selects.
func TestVary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		vary   string
		first  []string
		second []string
		hit    bool
		policy string
	}{
		{"same value", "Vary: X-A", []string{"X-A: 1"}, []string{"X-A: 1"}, true, ""},
		{"another value", "Vary: X-A", []string{"X-A: 1"}, []string{"X-A: 2"}, false, ""},
		{"absent in both", "Vary: X-A", nil, nil, true, ""},
		{"absent in one", "Vary: X-A", []string{"X-A: 1"}, nil, false, ""},
		{"name without case", "Vary: x-a", []string{"X-A: 1"}, []string{"X-A: 2"}, false, ""},
		{"a list", "Vary: X-A, X-B", []string{"X-A: 1", "X-B: 1"}, []string{"X-A: 1", "X-B: 2"}, false, ""},
		{"empty members", "Vary: , X-A,,", []string{"X-A: 1"}, []string{"X-A: 2"}, false, ""},
		{"lines joined", "Vary: X-A", []string{"X-A: 1", "X-A: 2"}, []string{"X-A: 1, 2"}, true, ""},
		{"outer space", "Vary: X-A", []string{"X-A: 1"}, []string{"X-A:   1 "}, true, ""},
		{"not nominated", "Vary: X-A", []string{"X-B: 1"}, []string{"X-B: 2"}, true, ""},
		{"encodings in another order", "Vary: Accept-Encoding", []string{"Accept-Encoding: gzip, br"}, []string{"Accept-Encoding: br;q=1.0, deflate, gzip"}, true, ""},
		{"encoding refused by q=0", "Vary: Accept-Encoding", []string{"Accept-Encoding: gzip"}, []string{"Accept-Encoding: gzip;q=0"}, false, ""},
		{"any encoding", "Vary: Accept-Encoding", []string{"Accept-Encoding: br, gzip, zstd"}, []string{"Accept-Encoding: *"}, true, ""},
		{"Accept in another order", "Vary: Accept", []string{"Accept: text/html, application/json"}, []string{"Accept: application/json,text/html"}, true, ""},
		{"Accept by offers", "Vary: Accept", []string{"Accept: text/html,*/*;q=0.8"}, []string{"Accept: text/html,application/xhtml+xml;q=0.9"}, true, "defaults: {accept: [text/html, application/json]}"},
		{"Accept by offers that differ", "Vary: Accept", []string{"Accept: text/html,*/*;q=0.8"}, []string{"Accept: application/json"}, false, "defaults: {accept: [text/html, application/json]}"},
		{"key by header", "X-None: x", []string{"X-Tenant: 1"}, []string{"X-Tenant: 2"}, false, "routes: [{name: a, prefix: /, key: {headers: [X-Tenant]}}]"},
		{"key by cookie, others ignored", "X-None: x", []string{"Cookie: lang=de; a=1"}, []string{"Cookie: a=2; lang=de"}, true, "routes: [{name: a, prefix: /, key: {cookies: [lang]}}]"},
		{"key by cookie that differs", "X-None: x", []string{"Cookie: lang=de"}, []string{"Cookie: lang=en"}, false, "routes: [{name: a, prefix: /, key: {cookies: [lang]}}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{policy: c.policy})
			w.fields(200, "Cache-Control: max-age=60", c.vary)
			w.get("/", c.first...)
			w.await("flight ends", func() bool { return w.s.flights.len() == 0 }) // else the next may wait with the first
			if r := w.get("/", c.second...); r.hit() != c.hit {
				t.Errorf("hit %v, want %v: %s", r.hit(), c.hit, r.cs())
			}
			if r := w.get("/", c.first...); !r.hit() {
				t.Errorf("the first variant has gone: %s", r.cs())
			}
		})
	}
}

func TestOneVariantDoesNotReplaceAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		rw.Header().Set("Vary", "X-Lang")
		_, _ = rw.Write([]byte(r.Header.Get("X-Lang")))
	})
	for range 2 {
		for _, lang := range []string{"de", "en", "fr"} {
			if r := w.get("/", "X-Lang: "+lang); r.body != lang {
				t.Errorf("%s got %q", lang, r.body)
			}
		}
	}
	if w.seen() != 3 {
		t.Errorf("origin saw %d", w.seen())
	}
}

func TestVariantsOfOneResourceAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: max-age=60", "Vary: X-A")
	for i := range 40 {
		w.get("/", "X-A: "+strings.Repeat("x", i))
	}
	if n := len(w.store.Get(w.addr + "/").Variants); n != 16 {
		t.Errorf("%d variants", n)
	}
}

func TestNormalisedAcceptEncodingGoesUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.get("/", "Accept-Encoding: deflate, gzip;q=0.5, br;q=0")
	if got := w.last().Header.Get("Accept-Encoding"); got != "gzip" {
		t.Errorf("Accept-Encoding %q", got)
	}
}

// TestStaleIfError is RFC 9111 4.2.4 with RFC 5861: what may stand in for an upstream failure.
func TestStaleIfError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, cc, request, policy string
		status                    int
	}{
		{"directive of the response", "max-age=10, stale-if-error=600", "", "", 200},
		{"it is over", "max-age=10, stale-if-error=1", "", "", 500},
		{"grace of the operator", "max-age=10", "", "defaults: {error_grace: 10m}", 200},
		{"no grace", "max-age=10", "", "", 500},
		{"directive of the request", "max-age=10", "Cache-Control: stale-if-error=600", "", 200},
		{"must-revalidate forbids", "max-age=10, must-revalidate", "", "defaults: {error_grace: 10m}", 500},
		{"must-revalidate beats the directive", "max-age=10, must-revalidate, stale-if-error=600", "", "", 500},
		{"proxy-revalidate forbids", "max-age=10, proxy-revalidate", "", "defaults: {error_grace: 10m}", 500},
		{"s-maxage forbids the operator's grace", "s-maxage=10", "", "defaults: {error_grace: 10m}", 500},
		{"no-cache forbids", "no-cache", "", "defaults: {error_grace: 10m}", 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{policy: or(c.policy, "defaults: {error_grace: 0s}")})
			w.fields(200, "Cache-Control: "+c.cc, "Age: 100", `ETag: "a"`)
			w.get("/")
			w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
			w.fields(500)
			var lines []string
			if c.request != "" {
				lines = append(lines, c.request)
			}
			r := w.get("/", lines...)
			if r.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", r.StatusCode, c.status, r.cs())
			}
			if r.StatusCode == 200 && (ageOf(t, r) < 100 || !strings.Contains(r.cs(), "stale-if-error")) {
				t.Errorf("Age %s, %s", r.Header.Get("Age"), r.cs())
			}
		})
	}
}

func TestUpstreamGoneIs504ForWhatMustBeRevalidated(t *testing.T) {
	t.Parallel()

	for cc, want := range map[string]int{"max-age=10, must-revalidate": 504, "s-maxage=10": 504, "max-age=10": 502} {
		w := newWorld(t, settings{policy: "defaults: {error_grace: 0s}"})
		w.fields(200, "Cache-Control: "+cc, "Age: 100", `ETag: "a"`)
		w.get("/")
		w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
		w.answer(func(rw http.ResponseWriter, _ *http.Request) { hangUp(rw) })
		if r := w.get("/"); r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", cc, r.StatusCode, want)
		}
	}

}

// hangUp closes the connection without an answer.
func hangUp(rw http.ResponseWriter) {
	if c, _, err := rw.(http.Hijacker).Hijack(); err == nil {
		c.Close()
	}
}

func TestGraceServesStaleWhileOneRequestRevalidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "defaults: {grace: 10m}"})
	w.fields(200, "Cache-Control: max-age=10", "Age: 100")
	w.get("/")
	w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
	release := make(chan struct{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = rw.Write([]byte("new"))
	})
	for range 20 {
		if r := w.get("/"); r.body != "answer 1" || !r.hit() {
			t.Fatalf("%q %s", r.body, r.cs())
		}
	}
	close(release)
	w.await("the new answer is there", func() bool { return w.get("/").body == "new" })
	if w.seen() != 2 {
		t.Errorf("origin saw %d requests, want 2", w.seen())
	}
}

func TestNegativeTTLOfThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "defaults: {negative_ttl: 1m}"})
	w.fields(404)
	w.get("/")
	if r := w.get("/"); !r.hit() || r.StatusCode != 404 {
		t.Errorf("%d %s", r.StatusCode, r.cs())
	}
	w.fields(404, "Cache-Control: no-store")
	w.get("/private")
	if w.get("/private").hit() {
		t.Error("no-store was overridden")
	}
}

func TestTTLOfThePolicyNeverOverridesNoStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{policy: "defaults: {ttl: 1m}"})
	w.fields(200)
	w.get("/a")
	if !w.get("/a").hit() {
		t.Error("ttl did not count")
	}
	w.fields(200, "Cache-Control: private")
	w.get("/b")
	if w.get("/b").hit() {
		t.Error("private was overridden")
	}
}

// While the replica may have missed a purge, nothing goes out that upstream has not just confirmed.
func TestInDoubtEveryHitIsValidated(t *testing.T) {
	t.Parallel()
	doubt := make(chan bool, 1)
	doubt <- false
	w := newWorld(t, settings{options: func(o *Options) {
		o.Doubt = func() bool { d := <-doubt; doubt <- d; return d }
	}})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=60")
		rw.Header().Set("ETag", `"a"`)
		if r.Header.Get("If-None-Match") == `"a"` {
			rw.WriteHeader(304)
			return
		}
		_, _ = rw.Write([]byte("x"))
	})
	w.get("/")
	w.get("/")
	if w.seen() != 1 {
		t.Fatalf("origin saw %d", w.seen())
	}
	<-doubt
	doubt <- true
	for i := range 3 {
		if r := w.get("/"); r.body != "x" || r.hit() || w.seen() != 2+i {
			t.Errorf("%q %s, origin saw %d", r.body, r.cs(), w.seen())
		}
	}
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { hangUp(rw) })
	if r := w.get("/"); r.StatusCode < 500 {
		t.Errorf("unvalidated answer %d while in doubt", r.StatusCode)
	}
	<-doubt
	doubt <- false
	if r := w.get("/"); !r.hit() {
		t.Errorf("not a hit after the doubt: %s", r.cs())
	}

}

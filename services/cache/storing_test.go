package cache

import (
	"testing"
	"time"
)

// TestStoring is RFC 9111 3 and 5.2.2: whether the second request is answered from the store.
func TestStoring(t *testing.T) {
	t.Parallel()
	hour := date(time.Hour)
	for _, c := range []struct {
		name     string
		method   string
		request  []string
		status   int
		response []string
		hit      bool
	}{
		{name: "max-age", response: []string{"Cache-Control: max-age=60"}, hit: true},
		{name: "s-maxage", response: []string{"Cache-Control: s-maxage=60"}, hit: true},
		{name: "s-maxage overrides max-age 0", response: []string{"Cache-Control: max-age=0, s-maxage=60"}, hit: true},
		{name: "s-maxage 0 overrides max-age", response: []string{"Cache-Control: max-age=60, s-maxage=0"}},
		{name: "Expires", response: []string{"Expires: " + hour}, hit: true},
		{name: "max-age overrides Expires", response: []string{"Cache-Control: max-age=0", "Expires: " + hour}},
		{name: "no freshness, no validator", response: nil},
		{name: "heuristic freshness from Last-Modified", response: []string{"Last-Modified: " + date(-1000*time.Hour)}, hit: true},
		{name: "no heuristic for 302", status: 302, response: []string{"Last-Modified: " + date(-1000*time.Hour), "Location: /x"}},
		{name: "302 with max-age", status: 302, response: []string{"Cache-Control: max-age=60", "Location: /x"}, hit: true},
		{name: "301 heuristic", status: 301, response: []string{"Last-Modified: " + date(-1000*time.Hour), "Location: /x"}, hit: true},
		{name: "404 with max-age", status: 404, response: []string{"Cache-Control: max-age=60"}, hit: true},
		{name: "404 alone", status: 404},
		{name: "410 with Last-Modified", status: 410, response: []string{"Last-Modified: " + date(-1000*time.Hour)}, hit: true},
		{name: "unknown status with max-age", status: 299, response: []string{"Cache-Control: max-age=60"}, hit: true},
		{name: "500 with max-age is a failure", status: 500, response: []string{"Cache-Control: max-age=60"}},
		{name: "204 with max-age", status: 204, response: []string{"Cache-Control: max-age=60"}, hit: true},
		{name: "206 is not stored", status: 206, response: []string{"Cache-Control: max-age=60", "Content-Range: bytes 0-7/100"}},
		{name: "no-store", response: []string{"Cache-Control: no-store, max-age=60"}},
		{name: "private", response: []string{"Cache-Control: private, max-age=60"}},
		{name: "private with a field", response: []string{`Cache-Control: private="X-User", max-age=60`, "X-User: me"}, hit: true},
		{name: "no-cache", response: []string{"Cache-Control: no-cache, max-age=60"}},
		{name: "no-cache with a field", response: []string{`Cache-Control: no-cache="X-User", max-age=60`, "X-User: me"}, hit: true},
		{name: "must-understand with known status ignores no-store", response: []string{"Cache-Control: must-understand, no-store, max-age=60"}, hit: true},
		{name: "must-understand with unknown status", status: 299, response: []string{"Cache-Control: must-understand, max-age=60"}},
		{name: "Set-Cookie", response: []string{"Cache-Control: max-age=60", "Set-Cookie: a=b"}},
		{name: "Vary star", response: []string{"Cache-Control: max-age=60", "Vary: *"}},
		{name: "request no-store", request: []string{"Cache-Control: no-store"}, response: []string{"Cache-Control: max-age=60"}},
		{name: "Authorization", request: []string{"Authorization: Bearer x"}, response: []string{"Cache-Control: max-age=60"}},
		{name: "Authorization and public", request: []string{"Authorization: Bearer x"}, response: []string{"Cache-Control: public, max-age=60"}, hit: true},
		{name: "Authorization and s-maxage", request: []string{"Authorization: Bearer x"}, response: []string{"Cache-Control: s-maxage=60"}, hit: true},
		{name: "Authorization and must-revalidate", request: []string{"Authorization: Bearer x"}, response: []string{"Cache-Control: must-revalidate, max-age=60"}, hit: true},
		{name: "HEAD fills by GET", method: "HEAD", response: []string{"Cache-Control: max-age=60"}, hit: true},
		{name: "POST is not stored", method: "POST", response: []string{"Cache-Control: max-age=60"}},
		// The corner cases of parsing.
		{name: "names without case", response: []string{"cache-control: MAX-AGE=60"}, hit: true},
		{name: "quoted argument", response: []string{`Cache-Control: max-age="60"`}, hit: true},
		{name: "space around members", response: []string{"Cache-Control:  , ,public ,\tmax-age=60 "}, hit: true},
		{name: "several lines", response: []string{"Cache-Control: public", "Cache-Control: max-age=60"}, hit: true},
		{name: "the first of two counts", response: []string{"Cache-Control: max-age=60, max-age=0"}, hit: true},
		{name: "directive inside a quoted string", response: []string{`Cache-Control: ext="no-store, private", max-age=60`}, hit: true},
		{name: "unknown directive", response: []string{"Cache-Control: community=UCI, max-age=60"}, hit: true},
		{name: "max-age that is no number", response: []string{"Cache-Control: max-age=sixty"}},
		{name: "negative max-age", response: []string{"Cache-Control: max-age=-1"}},
		{name: "fractional max-age", response: []string{"Cache-Control: max-age=60.5"}},
		{name: "max-age beyond 2^31", response: []string{"Cache-Control: max-age=99999999999999999999"}, hit: true},
		{name: "max-age without argument", response: []string{"Cache-Control: max-age"}},
		{name: "no-store as a prefix is another directive", response: []string{"Cache-Control: no-stores, max-age=60"}, hit: true},
		{name: "Expires 0", response: []string{"Expires: 0"}},
		{name: "Expires invalid", response: []string{"Expires: tomorrow"}},
		{name: "Expires in RFC 850 form", response: []string{"Expires: " + time.Now().Add(time.Hour).UTC().Format("Monday, 02-Jan-06 15:04:05 GMT")}, hit: true},
		{name: "Expires in asctime form", response: []string{"Expires: " + time.Now().Add(time.Hour).UTC().Format(time.ANSIC)}, hit: true},
		{name: "two different Expires", response: []string{"Expires: " + hour, "Expires: " + date(2*time.Hour)}},
		{name: "Expires before Date", response: []string{"Expires: " + date(-time.Hour)}},
		{name: "Age uses up the lifetime", response: []string{"Cache-Control: max-age=60", "Age: 60"}},
		{name: "Age leaves some", response: []string{"Cache-Control: max-age=60", "Age: 10"}, hit: true},
		{name: "of a list of ages the first counts", response: []string{"Cache-Control: max-age=60", "Age: 10, 100"}, hit: true},
		{name: "invalid Age is ignored", response: []string{"Cache-Control: max-age=60", "Age: old"}, hit: true},
		{name: "negative Age is ignored", response: []string{"Cache-Control: max-age=60", "Age: -100"}, hit: true},
		{name: "Date in the past counts as age", response: []string{"Cache-Control: max-age=60", "Date: " + date(-100*time.Second)}},
		{name: "Date in the future does not", response: []string{"Cache-Control: max-age=60", "Date: " + date(100*time.Second)}, hit: true},
		{name: "invalid Date is now", response: []string{"Cache-Control: max-age=60", "Date: yesterday"}, hit: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			w.fields(or(c.status, 200), c.response...)
			w.do(or(c.method, "GET"), "/", "", c.request...)
			w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
			second := w.get("/")
			if second.hit() != c.hit {
				t.Errorf("hit %v, want %v: %s", second.hit(), c.hit, second.cs())
			}
			if want := map[bool]int{true: 1, false: 2}[c.hit]; w.seen() != want {
				t.Errorf("origin saw %d requests, want %d", w.seen(), want)
			}
		})
	}
}

// A field that private="…" names is not kept; the rest of the response is.
func TestQualifiedPrivateKeepsTheFieldOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, `Cache-Control: private="X-User", max-age=60`, "X-User: me", "X-Other: all")
	w.get("/")
	r := w.get("/")
	if !r.hit() || r.Header.Get("X-User") != "" || r.Header.Get("X-Other") != "all" {
		t.Errorf("hit %v, header %v", r.hit(), r.Header)
	}
}

func TestHeuristicFreshnessIsATenthOfTheAgeAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	// Modified 1000 s ago: fresh for 100 s. An Age of 150 s is past that, one of 50 s is not.
	w.fields(200, "Last-Modified: "+date(-1000*time.Second), "Age: 150")
	w.get("/old")
	if w.get("/old").hit() {
		t.Error("150 s old is fresh by a heuristic of 100 s")
	}
	w.fields(200, "Last-Modified: "+date(-1000*time.Second), "Age: 50")
	w.get("/new")
	if !w.get("/new").hit() {
		t.Error("50 s old is not fresh by a heuristic of 100 s")
	}
}

func TestExplicitFreshnessRulesOutHeuristics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Last-Modified: "+date(-1000*time.Hour), "Cache-Control: max-age=bad")
	w.get("/")
	if w.get("/").hit() {
		t.Error("an invalid max-age was replaced by a heuristic")
	}
}

func TestAgeIsSentAndGrowsFromTheOriginsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: max-age=600", "Age: 100")
	w.get("/")
	r := w.get("/")
	if age := ageOf(t, r); age < 100 || age > 110 {
		t.Errorf("Age %d, want 100 or a little more", age)
	}
	if n := len(r.Header["Age"]); n != 1 {
		t.Errorf("%d Age lines", n)
	}
}

func TestDateOfTheOriginIsForwardedAndAddedWhereMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	at := date(-30 * time.Second)
	w.fields(200, "Cache-Control: max-age=600", "Date: "+at)
	w.get("/")
	if r := w.get("/"); r.Header.Get("Date") != at || ageOf(t, r) < 30 {
		t.Errorf("Date %q, want %q; Age %s", r.Header.Get("Date"), at, r.Header.Get("Age"))
	}
	w2 := newWorld(t, settings{origins: []string{canned(t, "HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nContent-Length: 2\r\n\r\nok")}})
	w2.get("/")
	if r := w2.get("/"); r.Header.Get("Date") == "" {
		t.Error("no Date in a stored response that came without")
	}
}

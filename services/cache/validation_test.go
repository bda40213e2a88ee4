package cache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// revalidating is an origin that confirms an entity tag by 304 with these lines.
func (w *world) revalidating(etag string, first, on304 []string) {
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == etag {
			setFields(rw.Header(), on304)
			rw.WriteHeader(304)
			return
		}
		setFields(rw.Header(), first)
		rw.Header().Set("ETag", etag)
		_, _ = rw.Write([]byte("body"))
	})
}

func TestStaleResponseIsValidatedWithBothValidators(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	modified := date(-time.Hour)
	w.revalidating(`"v1"`, []string{"Cache-Control: max-age=10", "Age: 100", "Last-Modified: " + modified}, []string{"Cache-Control: max-age=60"})
	w.get("/")
	r := w.get("/")
	up := w.last()
	if up.Header.Get("If-None-Match") != `"v1"` || up.Header.Get("If-Modified-Since") != modified {
		t.Errorf("validators %q %q", up.Header.Get("If-None-Match"), up.Header.Get("If-Modified-Since"))
	}
	if r.StatusCode != 200 || r.body != "body" || !strings.Contains(r.cs(), "fwd=stale; fwd-status=304") {
		t.Errorf("%d %q %s", r.StatusCode, r.body, r.cs())
	}
	if r := w.get("/"); !r.hit() || w.seen() != 2 {
		t.Errorf("not fresh after the 304: %s, origin saw %d", r.cs(), w.seen())
	}
}

// TestFreshen is RFC 9111 3.2 and 4.3.4: what a 304 changes.
func TestFreshen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.revalidating(`"v1"`,
		[]string{"Cache-Control: max-age=10", "Age: 100", "X-Old: stays", "X-New: 1", "X-New: 2", "Content-Type: text/plain"},
		[]string{"Cache-Control: max-age=60", "X-New: 3", "X-Added: yes", "Content-Type: text/html", "Content-Encoding: br", "Connection: X-Hop", "X-Hop: no", "Age: 5"})
	w.get("/")
	w.get("/")
	r := w.get("/")
	if got := strings.Join(r.Header["X-New"], ","); got != "3" {
		t.Errorf("X-New %q: the line of the 304 replaces all lines of its name", got)
	}
	for name, want := range map[string]string{"X-Old": "stays", "X-Added": "yes", "Content-Type": "text/plain", "Content-Encoding": "", "X-Hop": "", "Cache-Control": "max-age=60"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	if age := ageOf(t, r); !r.hit() || r.body != "body" || age < 5 || age > 15 {
		t.Errorf("%s %q Age %d", r.cs(), r.body, age)
	}
}

func Test304AboutAnotherResponseIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=10")
		rw.Header().Set("Age", "100")
		if r.Header.Get("If-None-Match") != "" {
			rw.Header().Set("ETag", `"other"`)
			rw.WriteHeader(304)
			return
		}
		rw.Header().Set("ETag", `"v1"`)
		_, _ = rw.Write([]byte("whole"))
	})
	w.get("/")
	r := w.get("/")
	if r.StatusCode != 200 || r.body != "whole" || w.seen() != 3 || w.last().Header.Get("If-None-Match") != "" {
		t.Errorf("%d %q, origin saw %d", r.StatusCode, r.body, w.seen())
	}
}

func TestFullAnswerToAValidationReplacesTheStoredOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: max-age=10", "Age: 100", `ETag: "v1"`)
	w.get("/")
	w.fields(200, "Cache-Control: max-age=60", `ETag: "v2"`)
	if r := w.get("/"); r.body != "answer 2" || r.Header.Get("ETag") != `"v2"` {
		t.Errorf("%q %s", r.body, r.cs())
	}
	if r := w.get("/"); !r.hit() || r.body != "answer 2" {
		t.Errorf("%q %s", r.body, r.cs())
	}
}

func Test304ThatForbidsStoringRemovesTheStoredOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.revalidating(`"v1"`, []string{"Cache-Control: max-age=10", "Age: 100"}, []string{"Cache-Control: no-store"})
	w.get("/")
	if r := w.get("/"); r.body != "body" {
		t.Errorf("%q", r.body)
	}
	w.get("/")
	if got := w.last().Header.Get("If-None-Match"); got != "" {
		t.Errorf("still stored: validated with %q", got)
	}
}

// TestConditionalRequests is RFC 9111 4.3.2: preconditions of the client, against what is stored.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	modified := time.Now().Add(-time.Hour).Truncate(time.Second)
	at := func(d time.Duration) string { return modified.Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		name    string
		request []string
		status  int
	}{
		{"matching tag", []string{`If-None-Match: "v1"`}, 304},
		{"weak comparison", []string{`If-None-Match: W/"v1"`}, 304},
		{"in a list", []string{`If-None-Match: "a", "b,c" , "v1"`}, 304},
		{"in lines", []string{`If-None-Match: "a"`, `If-None-Match: "v1"`}, 304},
		{"star", []string{`If-None-Match: *`}, 304},
		{"another tag", []string{`If-None-Match: "v2"`}, 200},
		{"tag without quotes", []string{`If-None-Match: v1`}, 200},
		{"part of another tag", []string{`If-None-Match: "xv1", "v1x"`}, 200},
		{"unterminated", []string{`If-None-Match: "v1`}, 200},
		{"not modified since", []string{"If-Modified-Since: " + at(0)}, 304},
		{"not modified since later", []string{"If-Modified-Since: " + at(time.Minute)}, 304},
		{"modified since", []string{"If-Modified-Since: " + at(-time.Second)}, 200},
		{"invalid date", []string{"If-Modified-Since: yesterday"}, 200},
		{"tag counts before date", []string{`If-None-Match: "v2"`, "If-Modified-Since: " + at(0)}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, stored := range []bool{true, false} {
				w := newWorld(t, settings{})
				w.answer(func(rw http.ResponseWriter, _ *http.Request) {
					setFields(rw.Header(), []string{"Cache-Control: max-age=60", `ETag: "v1"`, "Last-Modified: " + at(0), "Content-Type: text/plain", "X-A: b", "Vary: X-C"})
					_, _ = rw.Write([]byte("body"))
				})
				if stored {
					w.get("/")
				}
				r := w.get("/", c.request...)
				if r.StatusCode != c.status {
					t.Errorf("stored %v: status %d, want %d", stored, r.StatusCode, c.status)
				}
				if r.StatusCode == 304 && (r.body != "" || r.Header.Get("ETag") != `"v1"` || r.Header.Get("Cache-Control") == "" || r.Header.Get("Vary") == "" || r.Header.Get("Date") == "") {
					t.Errorf("stored %v: 304 with %v", stored, r.Header)
				}
				if r.StatusCode == 304 && r.Header.Get("Content-Type") != "" {
					t.Error("304 with Content-Type")
				}
				if up := w.last(); up.Header.Get("If-None-Match")+up.Header.Get("If-Modified-Since") != "" {
					t.Error("the client's precondition went upstream with a fill")
				}
			}
		})
	}
}

func TestNotModifiedUsesDateWithoutLastModified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: max-age=600", "Date: "+date(-100*time.Second))
	w.get("/")
	if r := w.get("/", "If-Modified-Since: "+date(-50*time.Second)); r.StatusCode != 304 {
		t.Errorf("status %d", r.StatusCode)
	}
	if r := w.get("/", "If-Modified-Since: "+date(-150*time.Second)); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
}

func TestIfMatchIsForTheOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.get("/")
	w.fields(412)
	for _, line := range []string{`If-Match: "x"`, "If-Unmodified-Since: " + date(0)} {
		if r := w.get("/", line); r.StatusCode != 412 {
			t.Errorf("%s: status %d", line, r.StatusCode)
		}
	}
}

// TestRanges is RFC 9110 14 on stored responses.
func TestRanges(t *testing.T) {
	t.Parallel()
	const body = "0123456789"
	modified := date(-time.Hour)
	for _, c := range []struct {
		name    string
		request []string
		status  int
		body    string
		content string
	}{
		{"first bytes", []string{"Range: bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"open end", []string{"Range: bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"suffix", []string{"Range: bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"suffix longer than all", []string{"Range: bytes=-20"}, 206, body, "bytes 0-9/10"},
		{"end past the end", []string{"Range: bytes=8-99"}, 206, "89", "bytes 8-9/10"},
		{"unit without case", []string{"Range: Bytes=0-0"}, 206, "0", "bytes 0-0/10"},
		{"start past the end", []string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{"empty suffix", []string{"Range: bytes=-0"}, 416, "", "bytes */10"},
		{"one of two satisfiable", []string{"Range: bytes=50-60, 0-1"}, 206, "01", "bytes 0-1/10"},
		{"another unit", []string{"Range: lines=0-1"}, 200, body, ""},
		{"reversed", []string{"Range: bytes=5-2"}, 200, body, ""},
		{"no numbers", []string{"Range: bytes=a-b"}, 200, body, ""},
		{"empty", []string{"Range: bytes="}, 200, body, ""},
		{"negative", []string{"Range: bytes=--2"}, 200, body, ""},
		{"beyond 64 bits", []string{"Range: bytes=0-99999999999999999999999"}, 206, body, "bytes 0-9/10"},
		{"overlapping", []string{"Range: bytes=0-5,2-8"}, 200, body, ""},
		{"too many", []string{"Range: bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8"}, 200, body, ""},
		{"If-Range with the tag", []string{"Range: bytes=0-3", `If-Range: "v1"`}, 206, "0123", "bytes 0-3/10"},
		{"If-Range with another tag", []string{"Range: bytes=0-3", `If-Range: "v2"`}, 200, body, ""},
		{"If-Range with a weak tag", []string{"Range: bytes=0-3", `If-Range: W/"v1"`}, 200, body, ""},
		{"If-Range with the date", []string{"Range: bytes=0-3", "If-Range: " + modified}, 206, "0123", "bytes 0-3/10"},
		{"If-Range with a later date", []string{"Range: bytes=0-3", "If-Range: " + date(0)}, 200, body, ""},
		{"precondition first", []string{"Range: bytes=0-3", `If-None-Match: "v1"`}, 304, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			w.answer(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					t.Error("Range went upstream with a fill")
				}
				setFields(rw.Header(), []string{"Cache-Control: max-age=60", `ETag: "v1"`, "Last-Modified: " + modified})
				_, _ = rw.Write([]byte(body))
			})
			w.get("/")
			r := w.get("/", c.request...)
			if r.StatusCode != c.status || r.body != c.body || r.Header.Get("Content-Range") != c.content {
				t.Errorf("%d %q %q", r.StatusCode, r.body, r.Header.Get("Content-Range"))
			}
		})
	}
}

func TestSeveralRangesBecomeMultipart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		setFields(rw.Header(), []string{"Cache-Control: max-age=60", "Content-Type: text/plain"})
		_, _ = rw.Write([]byte("0123456789"))
	})
	w.get("/")
	r := w.get("/", "Range: bytes=0-1, -2")
	kind := r.Header.Get("Content-Type")
	boundary, ok := strings.CutPrefix(kind, "multipart/byteranges; boundary=")
	want := "\r\n--" + boundary + "\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01" +
		"\r\n--" + boundary + "\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--" + boundary + "--\r\n"
	if r.StatusCode != 206 || !ok || r.body != want {
		t.Errorf("%d %q %q", r.StatusCode, kind, r.body)
	}
}

func TestRangeOnAMissFillsTheWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		setFields(rw.Header(), []string{"Cache-Control: max-age=60", "Content-Length: 10"})
		_, _ = rw.Write([]byte("0123456789"))
	})
	if r := w.get("/", "Range: bytes=2-4"); r.StatusCode != 206 || r.body != "234" {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
	w.await("flight ends", func() bool { return w.s.flights.len() == 0 })
	if r := w.get("/"); !r.hit() || r.body != "0123456789" {
		t.Errorf("%s %q", r.cs(), r.body)
	}
}

// TestInvalidation is RFC 9111 4.4.
func TestInvalidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		method string
		path   string
		status int
		lines  []string
		gone   bool
	}{
		{"POST", "POST", "/a", 200, nil, true},
		{"PUT", "PUT", "/a", 204, nil, true},
		{"DELETE", "DELETE", "/a", 200, nil, true},
		{"PATCH", "PATCH", "/a", 200, nil, true},
		{"unknown method", "FROB", "/a", 200, nil, true},
		{"redirect counts as success", "POST", "/a", 303, []string{"Location: /x"}, true},
		{"client error", "POST", "/a", 400, nil, false},
		{"server error", "POST", "/a", 500, nil, false},
		{"OPTIONS is safe", "OPTIONS", "/a", 200, nil, false},
		{"another path", "POST", "/b", 200, nil, false},
		{"another query", "POST", "/a?x", 200, nil, false},
		{"Location", "POST", "/b", 201, []string{"Location: /a"}, true},
		{"Location relative", "POST", "/dir/b", 201, []string{"Location: ../a"}, true},
		{"Location absolute", "POST", "/b", 201, []string{"Location: http://HOST/a"}, true},
		{"Location on https", "POST", "/b", 201, []string{"Location: https://HOST/a"}, true},
		{"Location on another host", "POST", "/b", 201, []string{"Location: http://other.example/a"}, false},
		{"Location without scheme on another host", "POST", "/b", 201, []string{"Location: //other.example/a"}, false},
		{"Content-Location", "POST", "/b", 200, []string{"Content-Location: /a"}, true},
		{"Content-Location on another host", "POST", "/b", 200, []string{"Content-Location: http://other.example/a"}, false},
		{"Location of an error", "POST", "/b", 404, []string{"Location: /a"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			w.answer(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method != "GET" {
					for _, line := range c.lines {
						setFields(rw.Header(), []string{strings.ReplaceAll(line, "HOST", r.Host)})
					}
					rw.WriteHeader(c.status)
					return
				}
				rw.Header().Set("Cache-Control", "max-age=60")
				rw.Header().Set("Vary", "X-A")
			})
			w.get("/a")
			w.get("/a", "X-A: 2")
			w.do(c.method, c.path, "")
			for _, line := range []string{"X-None: 1", "X-A: 2"} {
				if r := w.get("/a", line); r.hit() == c.gone {
					t.Errorf("%s: hit %v: %s", line, r.hit(), r.cs())
				}
			}
		})
	}
}

func TestHopByHopFieldsStayOnTheirConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		setFields(rw.Header(), []string{"Cache-Control: max-age=60", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5",
			"Proxy-Authenticate: Basic", "Upgrade: h2c", "X-End: 1"})
	})
	for range 2 {
		r := w.get("/", "Connection: X-Mine", "X-Mine: 1", "TE: trailers", "Proxy-Authorization: x", "X-Through: 1")
		for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Connection"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s reached the client", name)
			}
		}
		if r.Header.Get("X-End") != "1" {
			t.Error("X-End did not")
		}
	}
	up := w.last().Header
	for _, name := range []string{"X-Mine", "TE", "Proxy-Authorization"} {
		if up.Get(name) != "" {
			t.Errorf("%s reached the origin", name)
		}
	}
	if up.Get("X-Through") != "1" || up.Get("Via") != "1.1 test" {
		t.Errorf("origin got %v", up)
	}
}

func TestInterimResponsesAreNeitherStoredNorTakenForTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(103)
		rw.Header().Del("Link")
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = rw.Write([]byte("final"))
	})
	for i := range 2 {
		r := w.get("/")
		if r.StatusCode != 200 || r.body != "final" || r.Header.Get("Link") != "" || r.hit() != (i == 1) {
			t.Errorf("%d %q %s", r.StatusCode, r.body, r.cs())
		}
	}
}

func TestHeadIsAnsweredFromAStoredGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.fields(200, "Cache-Control: max-age=60")
	get := w.get("/")
	head := w.do("HEAD", "/", "")
	if !head.hit() || head.body != "" || head.ContentLength != int64(len(get.body)) {
		t.Errorf("%s length %d", head.cs(), head.ContentLength)
	}
}

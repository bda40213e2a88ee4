package shadow

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestVerdicts(t *testing.T) {
	answer := func(status int, body string) Answer { return Answer{Status: status, Body: []byte(body)} }
	packed := Answer{Status: 200, Encoding: "gzip", Body: pack(t, "{}")}
	for _, c := range []struct {
		name               string
		production, shadow Answer
		compare            Compare
		want               verdict
	}{
		{"equal", answer(200, "a"), answer(200, "a"), Compare{}, matched},
		{"another status", answer(200, "a"), answer(500, "a"), Compare{}, status},
		{"another body", answer(200, "a"), answer(200, "b"), Compare{}, content},
		{"order of fields", answer(200, `{"a":1,"b":[2]}`), answer(200, ` {"b":[2], "a":1}`), Compare{JSON: true}, matched},
		{"order of fields, exactly", answer(200, `{"a":1,"b":2}`), answer(200, `{"b":2,"a":1}`), Compare{}, content},
		{"order of an array", answer(200, `[1,2]`), answer(200, `[2,1]`), Compare{JSON: true}, content},
		{"large numbers", answer(200, `9007199254740993`), answer(200, `9007199254740992`), Compare{JSON: true}, content},
		{"ignored, nested, in arrays", answer(200, `{"t":1,"x":[{"y":{"z":1}},{"y":2}]}`), answer(200, `{"t":2,"x":[{"y":{"z":3}},{"y":2}]}`), Compare{JSON: true, Ignore: []string{"t", "x.y.z", "no.such"}}, matched},
		{"ignored is there on one side", answer(200, `{"t":1}`), answer(200, `{}`), Compare{JSON: true, Ignore: []string{"t"}}, matched},
		{"a shadow that speaks no JSON", answer(200, `{}`), answer(200, `<html>`), Compare{JSON: true}, content},
		{"something after the value", answer(200, `{}`), answer(200, `{}{}`), Compare{JSON: true}, content},
		{"production speaks no JSON", answer(200, `x`), answer(200, `{}`), Compare{JSON: true}, uncompared},
		{"packed and not", packed, answer(200, "{}"), Compare{}, matched},
		{"broken packing", packed, Answer{Status: 200, Encoding: "gzip", Body: []byte("x")}, Compare{}, content},
		{"unknown packing", Answer{Status: 200, Encoding: "br"}, answer(200, ""), Compare{}, uncompared},
		{"too long", Answer{Status: 200, TooLong: true}, answer(200, ""), Compare{}, uncompared},
		{"too long, another status", Answer{Status: 200, TooLong: true}, answer(404, ""), Compare{}, status},
		{"no body", answer(204, ""), answer(204, ""), Compare{JSON: true}, matched},
	} {
		if got, why := c.compare.verdict(&c.production, &c.shadow); got != c.want || (got != matched) != (why != "") {
			t.Errorf("%s: %s (%s), want %s", c.name, verdictNames[got], why, verdictNames[c.want])
		}
	}
}

func job() Job {
	return Job{Request: httptest.NewRequest(http.MethodGet, "/v1/words/dog?who=ann", nil), Answer: Answer{Status: 200, Body: []byte("woof")}}
}

func TestWhatDoesNotFitIsDroppedAndCountedAndGivesItsMemoryBack(t *testing.T) {
	memory, begun, free := NewMemory(10), make(chan struct{}), make(chan struct{})
	s := New(Options{Name: "m", Queue: 1, Workers: 1, Timeout: time.Minute, MaxAnswer: 100, Memory: memory, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		begun <- struct{}{}
		<-free
		return nil, errors.New("refused")
	})})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	s.Offer(job())
	<-begun        // the worker hangs with one
	s.Offer(job()) // the queue has one
	if !s.Full() {
		t.Error("the queue is not full")
	}
	s.Offer(job()) // no memory: 3 × 4 bytes
	if r := s.Report(); r.Dropped != 2 {
		t.Errorf("%d dropped", r.Dropped)
	}
	close(free)
	<-begun
	cancel()
	<-ended
	if left := memory.left.Load(); left != 10 {
		t.Errorf("%d bytes are left of 10", left)
	}
}

func TestAMismatchIsRememberedWithoutItsQueryAndTheOldestMakesRoom(t *testing.T) {
	s := New(Options{Name: "m", Queue: 1, Workers: 1, Timeout: time.Minute, MaxAnswer: 100, Memory: NewMemory(1000), Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("meow"))}, nil
	})})
	for i := range maxRecent + 3 {
		j := job()
		j.Request.URL.Path = "/" + strings.Repeat("x", i+1)
		s.do(t.Context(), j)
	}
	r := s.Report()
	if len(r.Recent) != maxRecent || len(r.Recent[0].Path) != maxRecent+4 || len(r.Recent[maxRecent-1].Path) != 5 || r.Verdicts["body_differs"] != maxRecent+3 {
		t.Errorf("%d recent, the newest %q, %v", len(r.Recent), r.Recent[0].Path, r.Verdicts)
	}
	if m := r.Recent[0]; strings.Contains(m.Path, "ann") || m.Production.Digest == m.Shadow.Digest || m.Why != "body" {
		t.Errorf("%+v", m)
	}
}

func TestACopyCarriesNoCredentialsUnlessTold(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
	for _, field := range append(credentials[:], "X-Other") {
		r.Header.Set(field, "secret")
	}
	c := Copy(r, "mirror", false)
	if c.Header.Get("Cookie")+c.Header.Get("Authorization")+c.Header.Get("Proxy-Authorization") != "" || c.Header.Get("X-Other") != "secret" || c.Header.Get(Mark) != "mirror" {
		t.Errorf("%v", c.Header)
	}
	if r.Header.Get("Cookie") == "" || r.Header.Get(Mark) != "" {
		t.Error("the original was changed")
	}
	if c := Copy(r, "mirror", true); c.Header.Get("Cookie") != "secret" {
		t.Errorf("%v", c.Header)
	}
	if body, _ := io.ReadAll(withBody(c, []byte("again")).Body); string(body) != "again" || c.ContentLength != 5 {
		t.Errorf("%q", body)
	}
}

func TestATapKeepsWhatFitsAndForgetsWhatWasBrokenOff(t *testing.T) {
	memory := NewMemory(6)
	for _, c := range []struct {
		body  string
		limit int
		want  string
		long  bool
	}{{"four", 4, "four", false}, {"fives", 4, "", true}, {"sevenxx", 100, "", true}, {"", 4, "", false}} {
		calls := 0
		tap := &Tap{ReadCloser: io.NopCloser(strings.NewReader(c.body)), Limit: c.limit, Memory: memory, Done: func(body []byte, long bool) {
			if calls++; string(body) != c.want || long != c.long {
				t.Errorf("%q: %q %v", c.body, body, long)
			}
		}}
		if got, err := io.ReadAll(tap); string(got) != c.body || err != nil || calls != 1 {
			t.Errorf("%q: %q, %v, %d calls", c.body, got, err, calls)
		}
		tap.Close()
	}
	tap := &Tap{ReadCloser: io.NopCloser(strings.NewReader("four")), Limit: 4, Memory: memory, Done: func([]byte, bool) { t.Error("told of half a body") }}
	_, _ = tap.Read(make([]byte, 2))
	tap.Close()
	if left := memory.left.Load(); left != 6 {
		t.Errorf("%d bytes are left of 6", left)
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,{"c":2}]},"d":1e999}`), "a.b.c")
	f.Add([]byte(`[[[[]]]] `), "x")
	f.Add([]byte(`{"":{"":1}}`), ".")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		one, err := normalise(body, []string{path})
		if err != nil {
			return
		}
		again, err := normalise(one, []string{path})
		if err != nil || !bytes.Equal(one, again) {
			t.Fatalf("%q became %q and then %q: %v", body, one, again, err)
		}
	})
}

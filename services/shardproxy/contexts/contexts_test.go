package contexts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is a cache with a clock and a service that the test moves.
type bench struct {
	*Cache
	now   time.Time
	away  error
	value string
	asked int
}

func newBench() *bench {
	b := &bench{now: time.Unix(1_000_000, 0), value: "north"}
	b.Cache = New(Options{Timeout: time.Minute, Fresh: 5 * time.Second, Stale: time.Minute, Entries: 3, Now: func() time.Time { return b.now },
		Ask: func(context.Context, string) (string, error) { b.asked++; return b.value, b.away }})
	return b
}

// is gets the context of a session and compares it.
func (b *bench) is(t *testing.T, since time.Time, value string, origin Outcome, asked int) {
	t.Helper()
	got, err := b.Get([]byte("s"), since)
	if err != nil || got.Value != value || got.Origin != origin || b.asked != asked {
		t.Errorf("%q %v (%v) after %d questions, want %q %v after %d", got.Value, got.Origin, err, b.asked, value, origin, asked)
	}
}

func TestWhatTheServiceSaidLastServesWhileItIsAwayButNotForEver(t *testing.T) {
	b := newBench()
	b.away = errors.New("away")
	if _, err := b.Get([]byte("s"), time.Time{}); !errors.Is(err, b.away) || b.Len() != 0 {
		t.Errorf("nothing is known: %v, %d entries", err, b.Len())
	}
	b.away, b.asked = nil, 0
	b.is(t, time.Time{}, "north", Found, 1)
	b.away = errors.New("away")
	b.now = b.now.Add(5 * time.Second)
	b.is(t, time.Time{}, "north", Stale, 2)
	b.is(t, time.Time{}, "north", Stale, 2) // and is not asked for every request
	b.now = b.now.Add(failurePause)
	b.is(t, time.Time{}, "north", Stale, 3)
	b.now = b.now.Add(58 * time.Second)
	b.is(t, time.Time{}, "north", Stale, 4)
	b.now = b.now.Add(time.Second)
	if got, err := b.Get([]byte("s"), time.Time{}); !errors.Is(err, b.away) {
		t.Errorf("too old, and yet %+v, %v", got, err)
	}
	b.away = nil
	b.is(t, time.Time{}, "north", Found, 6)
}

// A shard has refused what was known: what is older than that does not serve again, even
// when nothing newer can be had.
func TestWhatWasRefusedIsNotUsedAgain(t *testing.T) {
	b := newBench()
	b.is(t, time.Time{}, "north", Found, 1)
	b.now = b.now.Add(time.Second)
	b.is(t, time.Time{}, "north", Cached, 1)
	refused := b.now
	b.value = "south"
	b.away = errors.New("away")
	if _, err := b.Get([]byte("s"), refused); !errors.Is(err, b.away) {
		t.Errorf("refused, and yet it serves: %v", err)
	}
	b.away = nil
	b.is(t, refused, "south", Found, 3)
	b.is(t, refused, "south", Cached, 3)
}

func TestThatASessionHasNoContextIsRememberedToo(t *testing.T) {
	b := newBench()
	b.value = ""
	b.is(t, time.Time{}, "", None, 1)
	b.is(t, time.Time{}, "", Cached, 1)
	b.now, b.value = b.now.Add(5*time.Second), "north"
	b.is(t, time.Time{}, "north", Found, 2)
}

func TestTheSessionsUsedLeastRecentlyAreForgotten(t *testing.T) {
	b := newBench()
	for _, s := range []string{"a", "b", "c", "a", "d", "a", "c", "d"} { // b has to go for d
		if _, err := b.Get([]byte(s), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() != 3 || b.asked != 4 {
		t.Errorf("%d sessions, %d questions", b.Len(), b.asked)
	}
	if _, err := b.Get([]byte("b"), time.Time{}); err != nil || b.asked != 5 {
		t.Errorf("%d questions, %v", b.asked, err)
	}
}

func TestLookUpsOfOneSessionAreOneUnlessTheyBeganTooEarly(t *testing.T) {
	var asked atomic.Int64
	first, goOn := make(chan struct{}), make(chan struct{})
	c := New(Options{Timeout: time.Minute, Fresh: time.Minute, Stale: time.Minute, Entries: 3, Ask: func(context.Context, string) (string, error) {
		n := asked.Add(1)
		if n == 1 {
			close(first)
			<-goOn
		}
		return fmt.Sprint(n), nil
	}})
	get := func(since time.Time) string {
		got, err := c.Get([]byte("s"), since)
		if err != nil {
			t.Error(err)
		}
		return got.Value
	}
	var all sync.WaitGroup
	var joined atomic.Int64
	for range 20 {
		all.Go(func() {
			if get(time.Time{}) == "1" {
				joined.Add(1)
			}
		})
	}
	<-first
	if got := get(time.Now()); got != "2" {
		t.Errorf("asked for since, %q", got)
	}
	close(goOn)
	all.Wait()
	// Those of the 20 who came when the second answer was here have that.
	if n := asked.Load(); n != 2 || joined.Load() < 1 {
		t.Errorf("%d questions, %d had the first answer", n, joined.Load())
	}
	if got := get(time.Time{}); got != "2" {
		t.Errorf("the answer to the earlier question is kept: %q", got)
	}
}

func TestAnswersThatAreNoneAreErrors(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){}
	text := func(status int, body string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) }
	}
	answers["good"] = text(200, `{"context": "north", "since": 7}`)
	answers["a/b c?"] = text(200, `{"context": "asked for as it is"}`)
	answers["none"] = text(404, "")
	answers["broken"], answers["gone"], answers["html"], answers["empty"] = text(500, ""), text(301, ""), text(200, "<html>"), text(200, `{"context": ""}`)
	answers["long"] = text(200, `{"context": "`+strings.Repeat("x", MaxValue+1)+`"}`)
	answers["control"], answers["number"] = text(200, `{"context": "a\nb"}`), text(200, `{"context": 7}`)
	answers["flood"] = text(200, `{"context": "`+strings.Repeat("x", 8<<10)+`"}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[strings.TrimPrefix(r.URL.Path, "/v1/contexts/")](w)
	}))
	defer server.Close()
	client, err := httpclient.New(httpclient.Options{Name: "contexts", MaxBody: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	s := &Service{Client: client, Base: server.URL + "/v1/contexts/"}
	for session, want := range map[string]string{"good": "north", "a/b c?": "asked for as it is", "none": "", ".": "", "..": ""} {
		if got, err := s.Ask(t.Context(), session); err != nil || got != want {
			t.Errorf("%s: %q, %v", session, got, err)
		}
	}
	for _, session := range []string{"broken", "gone", "html", "empty", "long", "control", "number", "flood"} {
		if got, err := s.Ask(t.Context(), session); err == nil {
			t.Errorf("%s is taken for %q", session, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"context":"north"}`, `{"context":"\u0000"}`, `{"context":"\ud800"}`, `[]`, `{"context":{"context":"x"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, err := parse(body)
		if err == nil && (value == "" || len(value) > MaxValue || strings.ContainsAny(value, "\x00\r\n\x7f")) {
			t.Errorf("%q is taken for %q", body, value)
		}
	})
}

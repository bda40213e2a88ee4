package recent_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/dictionary/recent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheLatestWordComesFirstAndOnce(t *testing.T) {
	t.Parallel()
	l := recent.New(recent.Bounds{Sessions: 2, Words: 3, TTL: time.Hour}, prometheus.NewRegistry())
	for _, word := range []string{"a", "b", "a", "c"} {
		l.Add("one", word)
	}
	if got := l.Get("one"); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := l.Add("one", "d"); !slices.Equal(got, []string{"d", "c", "a"}) {
		t.Errorf("the bound of three words: %v", got)
	}
	if got := l.Get("unknown"); got == nil || len(got) != 0 {
		t.Errorf("an unknown session: %v, want empty", got)
	}
}

func TestTheSessionIdleLongestMakesRoom(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	l := recent.New(recent.Bounds{Sessions: 2, Words: 3, TTL: time.Hour}, reg)
	l.Add("one", "a")
	l.Add("two", "b")
	l.Get("one") // used: two is the one idle longest now
	l.Add("three", "c")
	if len(l.Get("one")) != 1 || len(l.Get("two")) != 0 || len(l.Get("three")) != 1 {
		t.Errorf("one %v, two %v, three %v", l.Get("one"), l.Get("two"), l.Get("three"))
	}
	if n := testutil.CollectAndCount(reg, "dictionary_sessions_dropped_total"); n != 1 {
		t.Errorf("%d reasons counted", n)
	}
}

func TestAnIdleSessionIsForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	l := recent.New(recent.Bounds{Sessions: 9, Words: 3, TTL: time.Minute, Now: func() time.Time { return now }}, prometheus.NewRegistry())
	l.Add("one", "a")
	now = now.Add(50 * time.Second)
	l.Add("two", "b")
	now = now.Add(20 * time.Second)
	if got := l.Get("one"); len(got) != 0 {
		t.Errorf("idle for 70 s: %v", got)
	}
	if got := l.Get("two"); len(got) != 1 {
		t.Errorf("idle for 20 s: %v", got)
	}
}

func TestSessionsDoNotMixUnderConcurrency(t *testing.T) {
	t.Parallel()
	l := recent.New(recent.Bounds{Sessions: 100, Words: 5, TTL: time.Hour}, prometheus.NewRegistry())
	var wg sync.WaitGroup
	for s := range 50 {
		wg.Go(func() {
			id := fmt.Sprint("session ", s)
			for n := range 20 {
				for _, word := range l.Add(id, fmt.Sprintf("%d/%d", s, n)) {
					var from, number int
					if _, err := fmt.Sscanf(word, "%d/%d", &from, &number); err != nil || from != s {
						t.Errorf("%s got %s", id, word)
					}
				}
			}
		})
	}
	wg.Wait()
}

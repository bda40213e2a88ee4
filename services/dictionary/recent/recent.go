// Package recent keeps the words that each session looked up last, in the memory
// of this process and nowhere else: the state of a session-tracked service. It
// dies with the process, and then the list is empty.
//
// Everything is bounded: the number of sessions (the one that was idle longest
// makes room), the words of each, and the time that an idle one is kept.
package recent

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lists are the lists of all sessions. Use New.
type Lists struct {
	sessions int
	words    int
	ttl      time.Duration
	now      func() time.Time
	kept     prometheus.Gauge
	dropped  *prometheus.CounterVec

	mu    sync.Mutex // guards all below
	byID  map[string]*list.Element
	order *list.List // of *session, the one used last in front
}

type session struct {
	id    string
	used  time.Time
	words []string // the latest first
}

// Bounds are the limits of Lists.
type Bounds struct {
	Sessions int              // at most
	Words    int              // at most, of a session
	TTL      time.Duration    // of an idle session
	Now      func() time.Time // nil means time.Now
}

// New returns empty lists whose metrics are registered with reg.
func New(b Bounds, reg prometheus.Registerer) *Lists {
	l := &Lists{
		sessions: b.Sessions, words: b.Words, ttl: b.TTL, now: b.Now, byID: map[string]*list.Element{}, order: list.New(),
		kept:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "dictionary_sessions", Help: "Sessions whose recent words are kept."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dictionary_sessions_dropped_total", Help: "Sessions that were forgotten, by reason."}, []string{"reason"}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	reg.MustRegister(l.kept, l.dropped)
	return l
}

// Add puts a word in front of a session's list, once, and returns the list.
func (l *Lists) Add(id, word string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	s := l.use(id)
	if s == nil {
		s = &session{id: id, used: l.now()}
		l.byID[id] = l.order.PushFront(s)
		if l.order.Len() > l.sessions {
			l.drop(l.order.Back(), "full")
		}
		l.kept.Set(float64(l.order.Len()))
	}
	// A new slice each time: Get and Add hand lists out.
	words := []string{word}
	for _, w := range s.words {
		if w != word && len(words) < l.words {
			words = append(words, w)
		}
	}
	s.words = words
	return slices.Clone(words)
}

// Get returns a session's list, the latest word first. It is empty, never nil,
// for a session that is not known here.
func (l *Lists) Get(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	if s := l.use(id); s != nil {
		return slices.Clone(s.words)
	}
	return []string{}
}

// use finds a session and makes it the one used last.
func (l *Lists) use(id string) *session {
	e, ok := l.byID[id]
	if !ok {
		return nil
	}
	l.order.MoveToFront(e)
	s := e.Value.(*session)
	s.used = l.now()
	return s
}

// expire drops the sessions that were idle for too long: they are at the back.
func (l *Lists) expire() {
	oldest := l.now().Add(-l.ttl)
	for e := l.order.Back(); e != nil && e.Value.(*session).used.Before(oldest); e = l.order.Back() {
		l.drop(e, "idle")
	}
}

func (l *Lists) drop(e *list.Element, reason string) {
	delete(l.byID, l.order.Remove(e).(*session).id)
	l.kept.Set(float64(l.order.Len()))
	l.dropped.WithLabelValues(reason).Inc()
}

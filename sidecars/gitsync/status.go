package gitsync

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/health"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// Status is what GET /v1/status answers.
type Status struct {
	Repository  string    `json:"repository"`
	Ref         string    `json:"ref"`
	Revision    string    `json:"revision,omitempty"` // commit that the link leads to
	Since       time.Time `json:"since,omitzero"`     // when this process swapped it in, or found it
	Size        tree.Size `json:"size"`               // of the revision, when this process wrote it
	Stale       bool      `json:"stale"`              // the last attempt failed: there may be a newer revision
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	Failure     *Failure  `json:"failure,omitempty"` // of the last attempt
	Notice      any       `json:"notice,omitempty"`  // what became of telling the application
}

// Failure is why an attempt failed.
type Failure struct {
	Kind     string    `json:"kind"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`              // of the first attempt that failed so
	Refused  string    `json:"refused,omitempty"`  // the revision that is not taken
	Attempts int       `json:"attempts,omitempty"` // that failed one after the other
}

// board is where attempts are told of and read by others.
type board struct {
	metrics *metrics
	gate    *health.Gate
	notice  func() any

	mu      sync.Mutex // guards all below
	status  Status
	refused string // hash of the revision that the next failure is about
}

func newBoard(cfg Config, m *metrics, gate *health.Gate) *board {
	return &board{metrics: m, gate: gate, notice: func() any { return nil }, status: Status{Repository: cfg.Repository, Ref: cfg.Ref}}
}

// read returns the state of now.
func (b *board) read() Status {
	b.mu.Lock()
	s := b.status
	if s.Failure != nil {
		f := *s.Failure
		s.Failure = &f
	}
	b.mu.Unlock()
	s.Notice = b.notice()
	return s
}

// now is the time, as it is shown.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// swapped says which revision the link leads to. From then on the process is ready:
// a revision that grows old is better than none.
func (b *board) swapped(revision string, size tree.Size) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Revision, b.status.Since, b.status.Size = revision, now(), size
	b.metrics.swapped(size)
	b.gate.Open()
}

// refuse says which revision the failure is about that is told next.
func (b *board) refuse(revision string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = revision
}

// attempted says how an attempt ended, and returns whether that is news for the log.
func (b *board) attempted(began time.Time, outcome string, failed *failure) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.metrics.attempted(outcome, time.Since(began), failed == nil)
	b.status.LastAttempt, b.status.Stale = began.UTC().Truncate(time.Millisecond), failed != nil
	if failed == nil {
		b.status.LastSuccess, b.status.Failure = now(), nil
		return false
	}
	if b.status.Revision == "" {
		b.gate.Close(failed.reason)
	}
	before := b.status.Failure
	f := &Failure{Kind: failed.kind, Reason: failed.reason, Since: b.status.LastAttempt, Attempts: 1}
	if failed.kind == refused {
		f.Refused = b.refused
	}
	news = before == nil || before.Kind != f.Kind || before.Reason != f.Reason || before.Refused != f.Refused
	if before != nil {
		f.Attempts = before.Attempts + 1
		if !news {
			f.Since = before.Since
		}
	}
	b.status.Failure = f
	return news
}

// next says when the next attempt is made, unless somebody asks for one before.
func (b *board) next(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.NextAttempt = at.UTC().Truncate(time.Millisecond)
}

func (b *board) kept(n int) { b.metrics.kept.Set(float64(n)) }

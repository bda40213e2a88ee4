package source

import (
	"context"
	"slices"
)

// State is how far a source's word can be taken.
type State string

const (
	Pending State = "pending" // it has not been asked yet
	Found   State = "found"   // the candidates are what it says
	Gone    State = "gone"    // it names none; the candidates are what it said before
	Failed  State = "failed"  // it cannot be asked or understood; the candidates are what it said before
)

// A Candidate is an address of the service. The first one of a report is to be
// preferred.
type Candidate struct {
	Name    string // where the source has one; else the address
	Address string // host:port
}

// A Report is what a source knows.
type Report struct {
	State      State
	Candidates []Candidate
	Reason     string // of Gone and Failed, for operators
}

// A Source reports what it knows, and again whenever that changes, until ctx
// ends. It reports at least once, soon.
type Source interface {
	Name() string
	Run(ctx context.Context, report func(Report))
}

// memory keeps the last candidates of a source, and passes on what is new.
type memory struct {
	report func(Report)
	last   Report
	told   bool
}

func (m *memory) found(candidates []Candidate) { m.tell(Report{State: Found, Candidates: candidates}) }

func (m *memory) gone(reason string) {
	m.tell(Report{State: Gone, Candidates: m.last.Candidates, Reason: reason})
}

func (m *memory) failed(reason string) {
	m.tell(Report{State: Failed, Candidates: m.last.Candidates, Reason: reason})
}

func (m *memory) tell(r Report) {
	if m.told && m.last.State == r.State && m.last.Reason == r.Reason && slices.Equal(m.last.Candidates, r.Candidates) {
		return
	}
	m.last, m.told = r, true
	m.report(r)
}

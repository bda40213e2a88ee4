package source

import "context"

// Static is a list that does not change: the environment's.
type Static struct{ Candidates []Candidate }

// Name is "environment".
func (Static) Name() string { return "environment" }

// Run reports the list.
func (s Static) Run(_ context.Context, report func(Report)) {
	report(Report{State: Found, Candidates: s.Candidates})
}

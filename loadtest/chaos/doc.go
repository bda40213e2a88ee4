// Package chaos lets things go wrong on purpose, and in an order that can be repeated.
//
// What goes wrong: rig.Proc can be paused (SIGSTOP), killed and started again;
// internal/cable is a link between two of them with faults; a Network gives each node a
// network namespace of its own, in which links are cut as in a real one: packets are
// lost, in one direction or both, and nobody is told. It needs root and iproute2;
// where they are not, NewNetwork says so.
//
// When: a script's steps wait for named events, never for a time, so that what it shows
// it shows in every run:
//
//	e := chaos.NewEvents(t.Logf)
//	err := e.Play(ctx, limit,
//		chaos.Step{Name: "a has the lock", Do: …},
//		chaos.Step{Name: "a is paused", After: []string{"a has the lock"}, Do: …},
//		chaos.Step{Name: "b has the lock", After: []string{"a is paused"}, Do: …})
//
// Random draws faults, victims and times from a seed that it prints: the same seed is the
// same plan.
package chaos

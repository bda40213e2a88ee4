package scattersim

import "time"

// kind of an event. Of events at one time the lower comes first: who has answered in time is not hedged.
type kind int

const (
	answers  kind = iota // a call is answered
	gathers              // an answer has been taken in by the root
	arrives              // a request
	scatters             // the root knows what to ask
	sends                // a call leaves the root
	hedges               // a call is late, if it is not answered
)

type event struct {
	at   time.Duration
	kind kind
	seq  int // order of events that are alike
	call *call
	req  *request
}

// agenda is a heap of events.
type agenda []event

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	switch {
	case a[i].at != a[j].at:
		return a[i].at < a[j].at
	case a[i].kind != a[j].kind:
		return a[i].kind < a[j].kind
	}
	return a[i].seq < a[j].seq
}

func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }

func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = event{} // keeps nothing alive
	*a = (*a)[:last]
	return e
}

// cores compute one thing each, to its end, in the order in which they are asked.
type cores []time.Duration // when each is free again

// run returns when what is asked for at a time is done. Times must not decrease from call to call.
func (c cores) run(at, need time.Duration) time.Duration {
	first := 0
	for i := range c {
		if c[i] < c[first] {
			first = i
		}
	}
	c[first] = max(c[first], at) + need
	return c[first]
}

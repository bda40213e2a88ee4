package limit

import (
	"container/heap"
	"sync"
	"time"
)

// agenda is the schedule of visits to the store, soonest first. An entry stands in it at most once, so that
// it is bounded as the entries are.
type agenda struct {
	mu    sync.Mutex // guards the visits; taken inside a shard's lock, never the other way round
	visit visits
	at    map[*entry]*visit
	wake  chan struct{} // tells the leasing goroutine that the first visit is another one
}

type visit struct {
	entry *entry
	due   time.Duration
	index int
}

// add schedules a visit, or moves it forward.
func (a *agenda) add(e *entry, due time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.at[e]
	switch {
	case v == nil:
		if a.at == nil {
			a.at = map[*entry]*visit{}
		}
		v = &visit{entry: e, due: due}
		a.at[e] = v
		heap.Push(&a.visit, v)
	case due < v.due:
		v.due = due
		heap.Fix(&a.visit, v.index)
	default:
		return
	}
	if v.index == 0 {
		select {
		case a.wake <- struct{}{}:
		default: // it is told already
		}
	}
}

// take removes up to a batch of entries that are due, and tells when the next one will be.
func (a *agenda) take(now time.Duration, into []*entry) ([]*entry, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.visit) > 0 && len(into) < batch {
		v := a.visit[0]
		if v.due > now {
			break
		}
		heap.Pop(&a.visit)
		delete(a.at, v.entry)
		into = append(into, v.entry)
	}
	if len(a.visit) == 0 {
		return into, never
	}
	return into, a.visit[0].due
}

func (a *agenda) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.visit)
}

// visits is a heap.
type visits []*visit

func (v visits) Len() int           { return len(v) }
func (v visits) Less(i, j int) bool { return v[i].due < v[j].due }
func (v visits) Swap(i, j int) {
	v[i], v[j] = v[j], v[i]
	v[i].index, v[j].index = i, j
}

// Push is of heap.Interface.
func (v *visits) Push(x any) {
	one := x.(*visit)
	one.index = len(*v)
	*v = append(*v, one)
}

// Pop is of heap.Interface.
func (v *visits) Pop() any {
	last := len(*v) - 1
	one := (*v)[last]
	(*v)[last] = nil
	*v = (*v)[:last]
	return one
}

package target

import (
	"sync"
	"time"
)

// Links are the connections that are open, each to one target.
type Links struct {
	Drain time.Duration // how long a link to a target that is not the active one may live

	mu     sync.Mutex // guards all below
	links  map[*Link]bool
	active *Target
	counts Counts
}

// A Link is one connection of a client to a target.
type Link struct {
	target *Target
	cut    func() // closes both sides
	timer  *time.Timer
	cutOff bool
}

// Counts of drained links.
type Counts struct {
	Finished uint64 // ended by themselves while they were draining
	Cut      uint64 // closed when their time was over
}

// Open adds a link. cut is called when it has to end.
func (l *Links) Open(t *Target, cut func()) *Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.links == nil {
		l.links = map[*Link]bool{}
	}
	link := &Link{target: t, cut: cut}
	l.links[link] = true
	if l.active != nil && t.Address != l.active.Address { // the active one changed while it was opened
		l.drain(link)
	}
	return link
}

// Close removes a link that has ended.
func (l *Links) Close(link *Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.links, link)
	if link.timer == nil {
		return
	}
	link.timer.Stop()
	if !link.cutOff {
		l.counts.Finished++
	}
}

// Moved tells which target is active. Links of others drain, unless there is
// none to move to; those of the active one need not drain any more.
func (l *Links) Moved(active *Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = active
	if active == nil {
		return
	}
	for link := range l.links {
		switch {
		case link.target.Address == active.Address && link.timer != nil && !link.cutOff:
			link.timer.Stop()
			link.timer = nil
		case link.target.Address != active.Address && link.timer == nil:
			l.drain(link)
		}
	}
}

// drain gives a link its time; mu is held.
func (l *Links) drain(link *Link) {
	var timer *time.Timer
	timer = time.AfterFunc(l.Drain, func() {
		l.mu.Lock()
		due := l.links[link] && link.timer == timer && !link.cutOff
		if due {
			link.cutOff = true
			l.counts.Cut++
		}
		l.mu.Unlock()
		if due {
			link.cut()
		}
	})
	link.timer = timer
}

// Count returns how many links are open, how many of them drain, and what became
// of those that drained.
func (l *Links) Count() (open, draining int, c Counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for link := range l.links {
		if link.timer != nil {
			draining++
		}
	}
	return len(l.links), draining, l.counts
}

// Of returns how many links a target has.
func (l *Links) Of(address string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for link := range l.links {
		if link.target.Address == address {
			n++
		}
	}
	return n
}

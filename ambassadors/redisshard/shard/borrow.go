package shard

import (
	"fmt"
	"slices"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
)

// Borrow returns a link that nobody else uses until it is given back, or the
// reply of failure.
func (s *Shard) Borrow(version int) (l *link.Link, failure []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.borrowed >= s.o.MaxWatch {
		return nil, fmt.Appendf(nil, "-ERR more than %d sessions watch keys of shard %s\r\n", s.o.MaxWatch, s.o.Server.Name)
	}
	idle := &s.idle[version-2]
	for n := len(*idle); n > 0 && l == nil; n-- {
		if last := (*idle)[n-1]; s.links[last] {
			l = last
		}
		*idle = (*idle)[:n-1]
	}
	if l == nil {
		var err error
		if l, err = s.open(version); err != nil {
			return nil, s.Failure(err)
		}
	}
	s.borrowed++
	return l, nil
}

// GiveBack takes a borrowed link back. One that keeps state is ended.
func (s *Shard) GiveBack(l *link.Link, version int, clean bool) {
	s.mu.Lock()
	s.borrowed--
	keep := clean && s.links[l] && !s.closed
	if keep {
		s.idle[version-2] = append(s.idle[version-2], l)
	}
	s.mu.Unlock()
	if !keep {
		l.End(link.ErrClosed)
	}
}

// dropIdle is called with mu held.
func (s *Shard) dropIdle(l *link.Link) {
	for i := range s.idle {
		s.idle[i] = slices.DeleteFunc(s.idle[i], func(other *link.Link) bool { return other == l })
	}
}

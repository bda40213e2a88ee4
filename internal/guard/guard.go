// Package guard bounds how many connections a gateway holds, in total and per
// client address, and decides who has to go when a bound is reached.
//
// Refusing the newest would let whoever came first keep everybody else out, and
// that is what slow-loris attackers do: many connections that never finish a
// handshake or a request head. So the guard makes room instead. It closes, in
// this order,
//
//  1. connections that have been in a handshake or a request head for longer
//     than Grace,
//  2. those that have been idle for longer than Grace, which costs their owner
//     one new handshake,
//  3. any other that has no request in progress,
//
// and among them those that waited longest, weighted by how many connections
// their address holds. Connections with a request in progress are never closed;
// a new one is refused only when there are no others.
package guard

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Grace is how long a handshake, a request head or a pause between requests may
// take before the connection is among the first to go when there is no room.
const Grace = time.Second

// batch is the share of the seats that is cleared at once (1/batch), so that an
// attacker cannot make every new connection cost a search.
const batch = 64

// A State says what a connection does at the moment.
type State uint8

// States of a connection.
const (
	Opening State = iota // a handshake or the head of a request is on its way
	Idle                 // between two requests
	Busy                 // a request is in progress
	gone
)

// A Guard holds the seats. Make it with New.
type Guard struct {
	total, perAddress int
	epoch             time.Time

	mu      sync.Mutex // guards all below
	seats   []*Seat
	parties map[netip.Addr]*party

	evicted atomic.Uint64
	refused atomic.Uint64
}

// A party is all connections of one address.
type party struct {
	addr  netip.Addr
	seats []*Seat
}

// A Seat is the place of one connection.
type Seat struct {
	guard     *Guard
	party     *party
	close     func()
	inAll     int          // index in guard.seats
	inParty   int          // index in party.seats
	condition atomic.Int64 // microseconds since the guard's epoch << 2 | State
}

// New returns a guard for at most total connections, and perAddress for one
// address (one /64 network for IPv6).
func New(total, perAddress int) *Guard {
	return &Guard{total: total, perAddress: perAddress, epoch: time.Now(), parties: map[netip.Addr]*party{}}
}

// Admit gives a seat to a new connection, in state Opening. When there is no
// room close of other connections is called, which must make them end and must
// not wait for it. It returns nil when nobody can be asked to leave.
func (g *Guard) Admit(addr netip.Addr, close func()) *Seat {
	addr = household(addr)
	s := &Seat{guard: g, close: close}
	s.Enter(Opening)
	seated, leaving := g.seat(s, addr)
	for _, l := range leaving {
		l.close()
	}
	if !seated {
		g.refused.Add(1)
		return nil
	}
	return s
}

func (g *Guard) seat(s *Seat, addr netip.Addr) (seated bool, leaving []*Seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.parties[addr]
	if p != nil && len(p.seats) >= g.perAddress {
		leaving = g.clear(p.seats)
		if len(leaving) == 0 {
			return false, nil
		}
		p = g.parties[addr] // it is gone when all of its connections are
	}
	if len(g.seats) >= g.total {
		more := g.clear(g.seats)
		if len(more) == 0 {
			return false, leaving
		}
		leaving = append(leaving, more...)
		p = g.parties[addr]
	}
	if p == nil {
		p = &party{addr: addr}
		g.parties[addr] = p
	}
	s.party, s.inAll, s.inParty = p, len(g.seats), len(p.seats)
	g.seats = append(g.seats, s)
	p.seats = append(p.seats, s)
	return true, leaving
}

// household is what counts as one client: an IPv4 address, or the network that
// an IPv6 host can pick its addresses from.
func household(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}

// clear takes a share of the given seats away from those that can go, and
// returns whom it took. g.mu is held.
func (g *Guard) clear(seats []*Seat) []*Seat {
	type candidate struct {
		seat  *Seat
		seen  int64 // its condition
		class int
		score int64
	}
	now := g.micros()
	found := make([]candidate, 0, len(seats))
	for _, s := range seats {
		seen := s.condition.Load()
		state, age := State(seen&3), now-seen>>2+1
		class := -1
		switch {
		case state == Opening && age > Grace.Microseconds():
			class = 0
		case state == Idle && age > Grace.Microseconds():
			class = 1
		case state != Busy:
			class = 2
		}
		if class >= 0 {
			found = append(found, candidate{s, seen, class, age * int64(len(s.party.seats))})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(b.score, a.score))
	})
	found = found[:min(len(found), 1+len(seats)/batch)]
	leaving := make([]*Seat, 0, len(found))
	for _, c := range found {
		if c.seat.condition.CompareAndSwap(c.seen, int64(gone)) { // else a request has just begun
			g.remove(c.seat)
			leaving = append(leaving, c.seat)
		}
	}
	g.evicted.Add(uint64(len(leaving)))
	return leaving
}

// remove takes the seat out of both lists. g.mu is held.
func (g *Guard) remove(s *Seat) {
	last := g.seats[len(g.seats)-1]
	g.seats[s.inAll], last.inAll = last, s.inAll
	g.seats[len(g.seats)-1] = nil
	g.seats = g.seats[:len(g.seats)-1]

	p := s.party
	last = p.seats[len(p.seats)-1]
	p.seats[s.inParty], last.inParty = last, s.inParty
	p.seats[len(p.seats)-1] = nil
	p.seats = p.seats[:len(p.seats)-1]
	if len(p.seats) == 0 {
		delete(g.parties, p.addr)
	}
}

// Enter tells what the connection does from now on.
func (s *Seat) Enter(state State) {
	next := s.guard.micros()<<2 | int64(state)
	old := s.condition.Load()
	if State(old&3) != gone {
		s.condition.CompareAndSwap(old, next) // fails only when it was taken away
	}
}

// Leave gives the seat back. It may be called after the seat was taken away.
func (s *Seat) Leave() {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	if State(s.condition.Swap(int64(gone))&3) != gone {
		s.guard.remove(s)
	}
}

func (s *Seat) read() (State, int64) {
	c := s.condition.Load()
	return State(c & 3), c >> 2
}

// IdleFor is how long the connection has been idle; 0 when it is not.
func (s *Seat) IdleFor() time.Duration {
	state, since := s.read()
	if state != Idle {
		return 0
	}
	return time.Duration(s.guard.micros()-since) * time.Microsecond
}

func (g *Guard) micros() int64 { return time.Since(g.epoch).Microseconds() }

// Counts is what the guard holds and did.
type Counts struct {
	Opening, Idle, Busy int
	Addresses           int
	Evicted, Refused    uint64
}

// Counts looks at all seats.
func (g *Guard) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := Counts{Addresses: len(g.parties), Evicted: g.evicted.Load(), Refused: g.refused.Load()}
	for _, s := range g.seats {
		switch state, _ := s.read(); state {
		case Opening:
			c.Opening++
		case Idle:
			c.Idle++
		case Busy:
			c.Busy++
		}
	}
	return c
}

package shard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
)

// Shard is a server. Its methods may be called by any goroutine.
type Shard struct {
	o      Options
	texts  texts
	ctx    context.Context // ends with the shard
	cancel context.CancelFunc
	group  sync.WaitGroup // of its links
	health atomic.Pointer[healthBox]
	shared [2][]slot // of RESP2 and of RESP3

	replicas []*replica

	mu       sync.Mutex // guards all below
	links    map[*link.Link]bool
	idle     [2][]*link.Link // to be borrowed
	borrowed int
	refused  error     // of the last attempt to connect; nil after a success
	notAgain time.Time // connecting is not attempted before
	pause    time.Duration
	closed   bool
}

// slot is the place of a shared link: empty before the first request, and after
// the link has ended.
type slot struct{ link atomic.Pointer[link.Link] }

type healthBox struct{ Health }

// Bounds of the wait between two attempts to connect.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// New makes a shard. No connection is opened before the first request.
func New(o Options) *Shard {
	s := &Shard{o: o, texts: newTexts(o), links: map[*link.Link]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for i := range s.shared {
		s.shared[i] = make([]slot, o.Connections)
	}
	for _, addr := range o.Replicas {
		s.replicas = append(s.replicas, newReplica(o, addr))
	}
	o.Meter.watch(s)
	return s
}

// Report says who is told how requests go from now on.
func (s *Shard) Report(h Health) { s.health.Store(&healthBox{h}) }

// Options returns the options that the shard was made with.
func (s *Shard) Options() Options { return s.o }

// Send sends requests, with their bytes, in one piece over a shared link. The
// same client always gets the same link. It returns nil, or the reply to all the
// requests, of which none was sent.
func (s *Shard) Send(version int, client uint64, now time.Duration, bytes []byte, requests ...link.Request) (failure []byte) {
	slots := s.shared[version-2]
	at := &slots[client%uint64(len(slots))]
	if l := at.link.Load(); l != nil && l.Send(now, bytes, requests...) == nil {
		return nil
	}
	l, err := s.reopen(at, version)
	if err == nil {
		err = l.Send(now, bytes, requests...)
	}
	if err != nil {
		return s.Failure(err)
	}
	return nil
}

// Connect opens a link for RESP2 before there is a request for it.
func (s *Shard) Connect() {
	for i := range s.shared[0] {
		_, _ = s.reopen(&s.shared[0][i], 2) // the first request will meet the same error
	}
}

// reopen returns the link of a slot, a new one where it has none.
func (s *Shard) reopen(at *slot, version int) (*link.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := at.link.Load(); l != nil && s.links[l] {
		return l, nil // another goroutine was first
	}
	l, err := s.open(version)
	if err != nil {
		return nil, err
	}
	at.link.Store(l)
	return l, nil
}

// open is called with mu held.
func (s *Shard) open(version int) (*link.Link, error) {
	if s.closed {
		return nil, link.ErrClosed
	}
	if s.refused != nil && time.Now().Before(s.notAgain) {
		return nil, s.refused
	}
	l := link.New(s.ctx, link.Options{
		Dial:    s.dialer(version),
		Timeout: s.o.Timeout, MaxReply: s.o.MaxReply, MaxFlight: s.o.MaxFlight, MaxBacklog: s.o.MaxBacklog,
		Failure: s.Failure, Ended: s.forget, Replied: s.replied, Took: s.o.Meter.took, Group: &s.group,
	})
	s.links[l] = true
	return l, nil
}

// Check ends links whose oldest request has waited for too long.
func (s *Shard) Check(now time.Duration) {
	for _, l := range s.all() {
		l.Check(now)
	}
	for _, r := range s.replicas {
		r.Check(now)
	}
}

// Counts are the open links and the requests in flight on them, without those
// of replicas.
func (s *Shard) Counts() (links, inFlight int) {
	all := s.all()
	for _, l := range all {
		inFlight += l.InFlight()
	}
	return len(all), inFlight
}

// Busy tells whether anything is in flight, replicas included.
func (s *Shard) Busy() bool {
	_, n := s.Counts()
	for _, r := range s.replicas {
		_, more := r.Counts()
		n += more
	}
	return n > 0
}

func (s *Shard) all() []*link.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*link.Link, 0, len(s.links))
	for l := range s.links {
		all = append(all, l)
	}
	return all
}

// Close ends all links, and returns when nothing of the shard is left.
func (s *Shard) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	for _, l := range s.all() {
		l.End(link.ErrClosed)
	}
	s.group.Wait()
	s.o.Meter.unwatch(s)
	for _, r := range s.replicas {
		r.Close()
	}
}

package edge

import (
	"context"
	"sync"
	"time"
)

// workers run streams on goroutines that live longer than one stream.
//
// net/http and quic-go start a goroutine per request, whose small stack has to
// grow while the request goes down through the edge to a socket; at a kilobyte
// an answer that was a sixth of the CPU. A worker's stack has grown already. The
// goroutine of the request waits meanwhile, so that the workers are no more than
// the streams.
type workers struct {
	mu     sync.Mutex // guards all below
	idle   []*worker  // the one used last is at the end and is used first
	closed bool
	all    sync.WaitGroup
}

type worker struct {
	work  chan *stream // of capacity 1, so that giving work waits for nobody
	since time.Time
}

// workerIdle is how long a worker without work is kept.
const workerIdle = 10 * time.Second

// do runs the stream and returns when it is over.
func (ws *workers) do(s *stream) {
	ws.mu.Lock()
	var w *worker
	if n := len(ws.idle); n > 0 {
		w = ws.idle[n-1]
		ws.idle = ws.idle[:n-1]
	} else {
		w = &worker{work: make(chan *stream, 1)}
		ws.all.Go(func() { w.run(ws) })
	}
	ws.mu.Unlock()
	w.work <- s
	<-s.done
}

func (w *worker) run(ws *workers) {
	for s := range w.work {
		s.serveSafely()
		stay := ws.rest(w)
		s.done <- struct{}{}
		if !stay {
			return
		}
	}
}

// rest puts a worker among the idle ones.
func (ws *workers) rest(w *worker) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return false
	}
	w.since = time.Now()
	ws.idle = append(ws.idle, w)
	return true
}

// run sends idle workers home until ctx is done, and then all of them. Requests
// must have ended before.
func (ws *workers) run(ctx context.Context) {
	tick := time.NewTicker(workerIdle / 2)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			ws.dismiss(now.Add(-workerIdle), false)
		}
	}
	ws.dismiss(time.Now().Add(time.Hour), true)
	ws.all.Wait()
}

// dismiss ends the workers that are idle since before then.
func (ws *workers) dismiss(then time.Time, forGood bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	n := 0
	for n < len(ws.idle) && ws.idle[n].since.Before(then) {
		close(ws.idle[n].work)
		n++
	}
	ws.idle = append(ws.idle[:0], ws.idle[n:]...)
	ws.closed = ws.closed || forGood
}

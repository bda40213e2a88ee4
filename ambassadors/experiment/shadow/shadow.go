package shadow

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/measure"
)

// Options describe a shadow.
type Options struct {
	Name      string
	Transport http.RoundTripper
	Timeout   time.Duration // of one copy, body included
	Queue     int           // copies that wait
	Workers   int           // copies under way
	MaxAnswer int           // bytes of an answer that are compared; longer ones are not
	Memory    *Memory       // for bodies of copies and answers, shared with other shadows
	Compare   Compare
}

// A Job is a request that production has answered.
type Job struct {
	Request *http.Request // a copy of its own, without a body and without a context of the client's
	Body    []byte        // of the request
	Answer  Answer        // of production
}

// An Answer is what is compared.
type Answer struct {
	Status   int
	Latency  time.Duration // until its head
	Encoding string        // Content-Encoding
	Body     []byte
	TooLong  bool // the body is not all of it
}

// size is what the memory is charged for.
func (j *Job) size() int { return len(j.Body) + len(j.Answer.Body) }

// A Shadow takes jobs while it runs.
type Shadow struct {
	options Options
	jobs    chan Job

	shadowed, production *measure.Series // latencies of the same requests
	counts               [verdicts]atomic.Uint64
	dropped, skipped     atomic.Uint64
	recent               ring
}

// window of a shadow's latencies. Only the whole of them is reported.
const window = time.Minute

// New returns a shadow that has sent nothing.
func New(o Options) *Shadow {
	return &Shadow{options: o, jobs: make(chan Job, o.Queue), shadowed: measure.NewSeries(window, nil), production: measure.NewSeries(window, nil)}
}

// Full tells that a job would be dropped now, so that nobody need copy anything; it is counted as dropped.
func (s *Shadow) Full() bool {
	full := len(s.jobs) == cap(s.jobs)
	if full {
		s.dropped.Add(1)
	}
	return full
}

// TooLong counts a request that cannot be copied, because its body is too long to keep.
func (s *Shadow) TooLong() { s.skipped.Add(1) }

// Offer takes a job, or drops and counts it. It never waits.
func (s *Shadow) Offer(j Job) {
	if !s.options.Memory.Take(j.size()) {
		s.dropped.Add(1)
		return
	}
	select {
	case s.jobs <- j:
	default:
		s.options.Memory.Give(j.size())
		s.dropped.Add(1)
	}
}

// Run sends copies until ctx ends. What waits then is dropped.
func (s *Shadow) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range s.options.Workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-s.jobs:
					s.do(ctx, j)
					s.options.Memory.Give(j.size())
				}
			}
		})
	}
	workers.Wait()
	for {
		select {
		case j := <-s.jobs:
			s.options.Memory.Give(j.size())
			s.dropped.Add(1)
		default:
			return
		}
	}
}

// do sends one copy and compares the answers.
func (s *Shadow) do(ctx context.Context, j Job) {
	got, err := s.send(ctx, j)
	if ctx.Err() != nil {
		s.dropped.Add(1)
		return
	}
	verdict, why := failed, "no answer"
	if err == nil {
		verdict, why = s.options.Compare.verdict(&j.Answer, &got)
	}
	s.counts[verdict].Add(1)
	s.production.Record(j.Answer.Latency, false)
	s.shadowed.Record(got.Latency, err != nil)
	if verdict != matched && verdict != uncompared {
		s.recent.add(mismatch(j, got, verdict, why))
	}
}

func (s *Shadow) send(ctx context.Context, j Job) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	began := time.Now()
	response, err := s.options.Transport.RoundTrip(withBody(j.Request.WithContext(ctx), j.Body))
	a := Answer{Latency: time.Since(began)}
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	a.Status, a.Encoding = response.StatusCode, response.Header.Get("Content-Encoding")
	a.Body, err = io.ReadAll(io.LimitReader(response.Body, int64(s.options.MaxAnswer)+1))
	a.TooLong = len(a.Body) > s.options.MaxAnswer
	return a, err
}

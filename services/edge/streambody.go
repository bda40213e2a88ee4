package edge

import (
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
)

// A streamBody is the body of an HTTP/2 or HTTP/3 request on its way upstream.
// It is a hop.Source.
type streamBody struct {
	r       *http.Request
	control *http.ResponseController
	cfg     *Config
	limit   int64
	taken   int64
	started time.Time
	by      time.Time
	peeked  []byte // read already
	first   [1]byte
}

func (b *streamBody) start(s *stream) {
	*b = streamBody{r: s.r, control: http.NewResponseController(s.w), cfg: s.cfg, limit: math.MaxInt64, started: time.Now()}
}

// peek waits for the first byte of the body, and tells whether there is none.
func (s *stream) peek() (ended bool, err error) {
	s.body.start(s)
	for {
		n, err := s.body.Read(s.body.first[:])
		if n > 0 {
			s.body.peeked = s.body.first[:]
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// Read reads content, if it comes in time.
func (b *streamBody) Read(p []byte) (int, error) {
	if len(b.peeked) > 0 {
		n := copy(p, b.peeked)
		b.peeked = b.peeked[n:]
		return n, nil
	}
	earned := time.Duration(float64(b.taken) / float64(b.cfg.MinRate) * float64(time.Second))
	if by := b.started.Add(b.cfg.MinRateGrace + earned); by.Sub(b.by) > time.Second {
		b.by = by
		_ = b.control.SetReadDeadline(by) // fails only when the stream is closed, which the read tells
	}
	n, err := b.r.Body.Read(p)
	b.taken += int64(n)
	switch {
	case b.taken > b.limit:
		return n, h1.ErrBodyTooLong
	case err != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return n, front.ErrTooSlow
	}
	return n, err
}

// Trailers are what followed the body.
func (b *streamBody) Trailers() []h1.Field {
	var fields []h1.Field
	for name, values := range b.r.Trailer {
		if h1.KindOf(name) != h1.Other {
			continue
		}
		for _, value := range values {
			fields = append(fields, h1.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	return fields
}

// Stop makes a Read that waits return.
func (b *streamBody) Stop() { _ = b.r.Body.Close() }

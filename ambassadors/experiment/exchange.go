package experiment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/arm"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/identity"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// An exchange is one request on its way.
type exchange struct {
	table  *table
	layer  *plan.Layer // nil: no experiment covers the path
	trials []*trial    // of the layer
	trial  *trial      // nil: the user belongs to production
	id     identity.ID
	body   []byte // of the request, where it could be kept whole
	kept   bool   // whether it was; true where there is none

	servedBy string // the arm that answered, or was asked last
	reason   string // why it is not the trial's
}

// The reasons why production answers a user of an experiment.
const (
	reasonStopped     = "stopped"     // it broke its budget
	reasonUnavailable = "unavailable" // its arm did not answer
	reasonError       = "error"       // its arm answered with 5xx
)

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// assign finds out which experiment a request belongs to.
func (s *Server) assign(r *http.Request) *exchange {
	x := &exchange{table: s.table.Load(), servedBy: plan.Production}
	if x.layer, x.trials = x.table.find(r.URL.Path); x.layer == nil {
		return x
	}
	if x.id = s.source.Of(r, x.layer.Sticky); x.id.Text == "" {
		return x
	}
	if i := x.layer.At(plan.Slot(x.layer.Name, x.id.Text)); i >= 0 {
		x.trial = x.trials[i]
	}
	return x
}

// keep reads a short body, so that it can be sent again and copied.
func (s *Server) keep(r *http.Request, x *exchange) error {
	limit := int64(s.cfg.MaxBuffer)
	if r.Body == nil || r.Body == http.NoBody {
		x.kept = true
		return nil
	}
	if r.ContentLength > limit {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > limit {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
		return nil
	}
	x.body, x.kept = body, true
	return nil
}

// rewind gives a request its body from the beginning. It says whether that is possible.
func (x *exchange) rewind(r *http.Request) {
	switch {
	case !x.kept: // it is read once
	case len(x.body) == 0:
		r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	default:
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
		r.Body, _ = r.GetBody() // which cannot fail
		r.ContentLength = int64(len(x.body))
		r.TransferEncoding = nil
	}
}

// RoundTrip sends a request to the arm of its user, and to production where that has none or fails. It is the
// transport of the proxy.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	if x.trial == nil {
		return s.askProduction(r, x)
	}
	if x.trial.stopped.Load() != nil {
		x.reason = reasonStopped
		return s.askProduction(r, x)
	}
	response, err := s.askTrial(r, x)
	if x.reason == "" {
		return response, err
	}
	x.trial.rescued.Add(1)
	if response != nil {
		_ = response.Body.Close() // production answers instead
	}
	return s.askProduction(r, x)
}

// askTrial asks the experiment. x.reason is set when production shall answer instead.
func (s *Server) askTrial(r *http.Request, x *exchange) (*http.Response, error) {
	x.servedBy = x.trial.Name
	x.rewind(r)
	r.Header.Set(Field, x.trial.Name)
	began := time.Now()
	response, err := x.trial.arm.RoundTrip(r)
	took := time.Since(began)
	bad := failed(response, err)
	if !canceled(err) {
		x.trial.seen.Record(took, bad)
		if s.table.Load().experiments[x.trial.Name] != nil { // else its series have ended, or are about to
			s.metrics.arm(x.trial.Name, bad, took)
		}
	}
	switch {
	case !bad || !arm.Repeatable(r, err):
	case err != nil:
		x.reason = reasonUnavailable
	default:
		x.reason = reasonError
	}
	return response, err
}

// askProduction asks production, and arranges copies of the request for shadows.
func (s *Server) askProduction(r *http.Request, x *exchange) (*http.Response, error) {
	x.servedBy = plan.Production
	x.rewind(r)
	r.Header.Set(Field, plan.Production)
	began := time.Now()
	response, err := s.production.RoundTrip(r)
	took := time.Since(began)
	if !canceled(err) {
		bad := failed(response, err)
		s.answered.Record(took, bad)
		s.metrics.arm(plan.Production, bad, took)
		for _, t := range x.trials {
			t.beside.Record(took, bad)
		}
	}
	if err == nil {
		s.copyTo(x.draw(r), r, x, response, took)
	}
	return response, err
}

func failed(response *http.Response, err error) bool {
	return err != nil || upstream.OfStatus(response.StatusCode).Failed()
}

// canceled tells that the client went away, which says nothing of an arm.
func canceled(err error) bool {
	var f *arm.Failure
	return errors.As(err, &f) && f.Outcome == upstream.Canceled
}

// draw chooses the shadows that get a copy.
func (x *exchange) draw(r *http.Request) []*mirror {
	var chosen []*mirror
	for _, m := range x.table.shadows {
		switch {
		case !m.Wants(r.Method, r.URL.Path) || rand.IntN(plan.Slots) >= int(m.Percent):
		case !x.kept:
			m.shadow.TooLong()
		case !m.shadow.Full():
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// copyTo keeps production's answer while the client reads it, and then offers it and the request to shadows: a
// copy leaves when the user has been served.
func (s *Server) copyTo(chosen []*mirror, r *http.Request, x *exchange, response *http.Response, took time.Duration) {
	if len(chosen) == 0 {
		return
	}
	answer := shadow.Answer{Status: response.StatusCode, Latency: took, Encoding: response.Header.Get("Content-Encoding")}
	response.Body = &shadow.Tap{ReadCloser: response.Body, Limit: int(s.cfg.ShadowAnswer), Memory: s.memory, Done: func(body []byte, tooLong bool) {
		answer.Body, answer.TooLong = body, tooLong
		for _, m := range chosen {
			m.shadow.Offer(shadow.Job{Request: shadow.Copy(r, m.Name, m.Credentials), Body: x.body, Answer: answer})
		}
	}}
}

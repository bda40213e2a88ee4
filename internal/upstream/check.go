package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// An answered check is one whose answer is not good.
type answered struct{ status int }

func (a *answered) Error() string {
	if a.cause() == NotReady {
		return "it says it is not ready (status 503)"
	}
	return fmt.Sprintf("status %d", a.status)
}

func (a *answered) cause() Cause {
	if a.status == http.StatusServiceUnavailable {
		return NotReady
	}
	return Failing
}

// causeOf tells answers from silence.
func causeOf(err error) Cause {
	var answer *answered
	switch {
	case err == nil:
		return NoCause
	case errors.As(err, &answer):
		return answer.cause()
	}
	return Unanswered
}

// newProber returns the client for checks. It never follows a redirect, uses
// no proxy and keeps one connection per endpoint.
func newProber(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// startChecks starts the checker of an endpoint that has one. p.mu is held.
func (p *Pool) startChecks(e *Endpoint) {
	if e.health.state == Passive {
		return
	}
	ctx, cancel := context.WithCancel(p.run)
	e.stop = cancel
	p.running.Go(func() {
		defer cancel()
		p.checkLoop(ctx, e)
	})
}

// checkLoop checks at once and then a little more often than the interval:
// the jitter keeps callers from asking all at the same moment, and no check
// comes later than the process contract allows.
func (p *Pool) checkLoop(ctx context.Context, e *Endpoint) {
	url := "http://" + e.member.Admin + "/readyz"
	for {
		started := time.Now()
		err := p.probe(ctx, url)
		if ctx.Err() != nil {
			return
		}
		p.checked(e, err)
		pause := time.Duration((0.9 + 0.1*rand.Float64()) * float64(p.options.Intervals.CheckInterval))
		if retry.Sleep(ctx, pause-time.Since(started)) != nil {
			return
		}
	}
}

func (p *Pool) probe(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := p.prober.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// A short body is read to its end, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &answered{response.StatusCode}
	}
	return nil
}

// checked counts a check and changes the state where that is due. The first
// good check of an unknown endpoint is enough, and an endpoint that says it is
// not ready is believed at once.
func (p *Pool) checked(e *Endpoint, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := &e.health
	h.cause = causeOf(err)
	if err == nil {
		h.good, h.bad, h.lastErr = h.good+1, 0, ""
		if h.state == Unknown || h.state == Down && h.good >= p.options.Health.CheckUp {
			p.setState(e, Up, "check passed")
		}
		return
	}
	h.good, h.bad, h.lastErr = 0, h.bad+1, err.Error()
	if h.state != Down && (h.cause == NotReady || h.bad >= p.options.Health.CheckDown) {
		p.setState(e, Down, err.Error())
	}
}

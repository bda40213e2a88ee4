// Package api makes the HTTP server of an API: echo with the fleet's defaults.
//
// Every route gets: an access log line, latency and in-flight metrics, a span
// that continues the caller's trace, the caller's deadline, a bound on the request body,
// injected faults where they are switched on, recovery from panics, and problem+json for every error (see package problem). Handlers return
// errors: a *problem.Problem is shown as it is, anything else is logged and
// becomes a 500 that tells nothing about the inside.
//
// It is for APIs. Data planes that copy bytes choose by measurement.
package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// MaxBody bounds the body of a request, unless a route sets its own limit: a mebibyte, 1,048,576 bytes. (Echo takes "1M" for a million.)
const MaxBody = "1MiB"

// MaxTime bounds the work on a request. A caller who waits less says so, and is
// given up on earlier; see httpclient.Deadline.
const MaxTime = 30 * time.Second

// New returns an echo whose routes have the defaults of the package.
func New(p *process.Process) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(discard{})
	e.HTTPErrorHandler = answerError(p.Log)
	o := newObserver(p)
	e.Use(o.observe, echo.WrapMiddleware(p.Faults.Wrap), echo.WrapMiddleware(deadline), recovered, middleware.BodyLimit(MaxBody))
	return e
}

func deadline(next http.Handler) http.Handler { return httpclient.Deadline(MaxTime, next) }

// discard takes what echo itself would log: errors reach us as values.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// recovered turns a panic into an error, so that it is answered, logged and
// counted as every other one. http.ErrAbortHandler goes on: it means abort.
func recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); {
			case r == nil:
			case r == http.ErrAbortHandler:
				panic(r)
			default:
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return next(c)
	}
}

// asProblem is the one place where an error gets its status.
func asProblem(err error) *problem.Problem {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return problem.New(http.StatusInternalServerError, "internal", "something went wrong here; it was logged")
	}
	switch he.Code {
	case http.StatusNotFound:
		return problem.New(he.Code, "no-such-resource", "nothing is served at this path")
	case http.StatusMethodNotAllowed:
		return problem.New(he.Code, "method-not-allowed", "this resource does not know the method; see the Allow field")
	case http.StatusRequestEntityTooLarge:
		return problem.New(he.Code, "body-too-large", "the request body is larger than this resource takes")
	case http.StatusUnsupportedMediaType:
		return problem.New(he.Code, "media-type-unsupported", "send the body as application/json")
	}
	if he.Code >= 500 {
		return problem.New(he.Code, "internal", "something went wrong here; it was logged")
	}
	return problem.New(he.Code, "bad-request", "the request could not be understood")
}

package search

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/control"
)

// A root whose control topic is silent – it never has read it, or not for SEARCH_CONTROL_SILENCE – goes on to be asked, as one without
// Kafka does: with the layout that it knows, which is that of its file when it knows none. Its answers say that they are unconfirmed. That
// layout may serve no more. Then its log was sealed before, and a leaf that has read a seal says so with each answer: such an answer is
// taken by no root that has not heard of the seal. What is left is what leaves have not read, which is the same without a control topic:
// a leaf without Kafka is asked, too.

// unconfirmedHeader is in every answer that is of a layout of which it is not sure that it still serves.
const unconfirmedHeader = "X-Layout-Unconfirmed"

// A certainty is how well it is known that the layout of now serves.
type certainty int

const (
	ignorant certainty = iota // nothing can be answered
	doubtful                  // the control topic is silent
	sealed                    // the same, behind a seal that the root has heard of
	certain
)

// certainty of the table that is used now.
func (f *fleet) certainty() certainty {
	if f.view == nil {
		return certain
	}
	t, _ := f.state()
	s, known := f.view.State()
	switch {
	case !t.serves(), !known && time.Since(f.began) < f.cfg.ControlSilence:
		return ignorant
	case f.view.Heard(f.cfg.ControlSilence):
		return certain
	case s.Phase == control.Sealed, s.Version > 0 && s.Serving.Topic != t.layout.Topic:
		return sealed
	}
	return doubtful
}

// informed refuses requests for documents as long as it is not known which layout serves.
func (s *server) informed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == "/v1/status" || c.Path() == "/v1/openapi.yaml" {
			return next(c)
		}
		now := s.fleet.certainty()
		switch now {
		case ignorant:
			return problem.New(http.StatusServiceUnavailable, "layout-unknown", "this root does not know yet which layout serves").Retry(time.Second)
		case doubtful, sealed:
			c.Response().Header().Set(unconfirmedHeader, "true")
		}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), certaintyKey{}, now)))
		return next(c)
	}
}

// certaintyKey is that of a request's certainty in its context.
type certaintyKey struct{}

// unconfirmed tells whether the answer to a request has to say so.
func unconfirmed(ctx context.Context) bool {
	now, set := ctx.Value(certaintyKey{}).(certainty)
	return set && now != certain
}

// wantsOpen tells whether a request is answered by no leaf whose log has ended.
func wantsOpen(ctx context.Context) bool { return ctx.Value(certaintyKey{}) == doubtful }

// errEnded is what an answer of a leaf means whose log has ended, while the root has not heard of that.
var errEnded = errors.New("the log of this layout has ended")

// layoutEnded is what a caller is told of it.
func layoutEnded() error {
	return problem.New(http.StatusServiceUnavailable, "layout-unknown", "the log of the layout that this root knows has ended, and the control topic, which says what serves now, cannot be read").Retry(time.Second)
}

// proclaim calls known when the control topic is silent for too long: the root is ready with the layout of its file.
func (f *fleet) proclaim(ctx context.Context, known func()) {
	timer := time.NewTimer(f.cfg.ControlSilence)
	defer timer.Stop()
	select {
	case <-timer.C:
		if _, heard := f.view.State(); !heard {
			f.log.Warn("the control topic was not heard of: the layout of the file is searched, unconfirmed, and nothing is written", "after", f.cfg.ControlSilence)
			known()
		}
	case <-ctx.Done():
	}
}

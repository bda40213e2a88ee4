package dictionary

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// paced gives a replica a capacity that is known, for experiments: requests above
// the rate wait for their turn, evenly spaced, and are refused when the queue is
// longer than the wait allows.
func paced(cfg Config, m *metrics) echo.MiddlewareFunc {
	if cfg.MaxRate == 0 {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	limit := rate.NewLimiter(rate.Limit(cfg.MaxRate), 1)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			turn := limit.Reserve()
			wait := turn.Delay()
			if wait > cfg.MaxWait {
				turn.Cancel()
				m.refused.Inc()
				return problem.New(http.StatusServiceUnavailable, "over-capacity", "this replica has more requests than it may answer").Retry(time.Second)
			}
			if wait > 0 {
				timer := time.NewTimer(wait)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-c.Request().Context().Done():
					turn.Cancel()
					return c.Request().Context().Err()
				}
			}
			return next(c)
		}
	}
}

package ownership

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// An act is what the owner of a shard does for a request. Its status and value are the
// answer.
type act func(context.Context, *term) (status int, value any, err error)

// again is how long to wait before an owner is looked for once more, if nothing is
// told earlier.
const again = 20 * time.Millisecond

// byOwner has a request answered by the owner of the account: by this replica, or by
// another one to which it is forwarded. While there is no owner, and while a shard
// changes hands, it waits.
func (s *service) byOwner(c echo.Context, account string, body []byte, do act) error {
	sh := s.shards[shardOf(account, s.cfg.Shards)]
	wait, cancel := context.WithTimeout(c.Request().Context(), s.cfg.Wait)
	defer cancel()
	doubtful := false // an owner that did not answer may have recorded it
	for {
		_, changed := s.view.get(sh.number)
		err := s.once(wait, c, sh, body, do)
		if !errors.Is(err, errNotOwner) && !errors.Is(err, errUnreachable) {
			return err
		}
		doubtful = doubtful || errors.Is(err, errUnreachable)
		// Nothing was recorded, or it will be found by its id.
		select {
		case <-changed:
		case <-time.After(again):
		case <-wait.Done():
		}
		if wait.Err() == nil {
			continue
		}
		if doubtful {
			return unreachable()
		}
		return notOwner()
	}
}

// once looks for the owner and asks it.
func (s *service) once(wait context.Context, c echo.Context, sh *shard, body []byte, do act) error {
	r := c.Request()
	var mine *term
	var other lease.Identity
	err := s.view.await(wait, sh.number, func(now lease.Record) bool {
		if mine = sh.owned(); mine != nil {
			return true
		}
		who, err := lease.ParseIdentity(now.Holder)
		other = who
		return err == nil && who.Run != s.me.Run && who.Addr != "" || r.Header.Get(forwardedHeader) != ""
	})
	switch {
	case err != nil:
		return errNotOwner
	case mine != nil:
		status, value, err := do(r.Context(), mine)
		if errors.Is(err, errNotOwner) {
			return err
		}
		if err != nil {
			return s.explain(err)
		}
		return answer(c, status, value)
	case r.Header.Get(forwardedHeader) != "":
		return notOwner() // who forwarded it waits for the next owner
	}
	got, err := s.forward(r.Context(), other, r, body)
	if err != nil {
		s.log.Debug("owner does not answer", "shard", sh.number, "owner", other.Name, "error", err)
		return errUnreachable
	}
	if got.status == http.StatusServiceUnavailable && strings.Contains(string(got.body), `#no-owner"`) {
		return errNotOwner
	}
	for _, name := range []string{"Cache-Control", "Retry-After"} {
		if v := got.header.Get(name); v != "" {
			c.Response().Header().Set(name, v)
		}
	}
	return c.Blob(got.status, got.header.Get("Content-Type"), got.body)
}

// errUnreachable is for an owner that does not answer.
var errUnreachable = errors.New("the owner does not answer")

// pauseHeader asks, in the lesson, for a pause between the check of the lease and the
// request to the ledger.
const pauseHeader = "Lesson-Pause"

// maxPause bounds it.
const maxPause = 2 * time.Minute

// pauseKey is that of the pause in a context.
type pauseKey struct{}

// resume ends all pauses of this replica.
func (s *service) resume(c echo.Context) error {
	if s.wrong == nil {
		return echo.ErrNotFound
	}
	s.wrong.Resume()
	return c.NoContent(http.StatusNoContent)
}

// pause notes the pause that a request asks for, if this is a lesson.
func (s *service) pause(c echo.Context) {
	d, err := time.ParseDuration(c.Request().Header.Get(pauseHeader))
	if err != nil || d <= 0 || !s.cfg.Lesson.has(Pause) {
		return
	}
	r := c.Request()
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), pauseKey{}, min(d, maxPause))))
}

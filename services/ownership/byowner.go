package ownership

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// byOwner has a request answered by the owner of the account: by this replica, or by
// another one to which it is forwarded. While there is no owner, it waits.
func (s *service) byOwner(c echo.Context, account string, body []byte, act func(context.Context, *term) error) error {
	r := c.Request()
	sh := s.shards[shardOf(account, s.cfg.Shards)]
	forwarded := r.Header.Get(forwardedHeader) != ""
	var mine *term
	var other lease.Identity
	wait, cancel := context.WithTimeout(r.Context(), s.cfg.Wait)
	defer cancel()
	err := s.view.await(wait, sh.number, func(now lease.Record) bool {
		if mine = sh.owned(); mine != nil {
			return true
		}
		who, err := lease.ParseIdentity(now.Holder)
		other = who
		return err == nil && who.Run != s.me.Run && who.Addr != "" && !forwarded
	})
	switch {
	case err != nil:
		return notOwner()
	case mine != nil:
		c.Response().Header().Set("Ownership-Owner", s.me.Name)
		return act(r.Context(), mine)
	}
	got, err := s.forward(r.Context(), other, r, body)
	if err != nil {
		s.log.Debug("owner does not answer", "shard", sh.number, "owner", other.Name, "error", err)
		return unreachable()
	}
	for _, name := range []string{"Content-Type", "Cache-Control", "Retry-After", "Ownership-Owner"} {
		if v := got.header.Get(name); v != "" {
			c.Response().Header().Set(name, v)
		}
	}
	return c.Blob(got.status, got.header.Get("Content-Type"), got.body)
}

// pauseHeader asks, in the lesson, for a pause between the check of the lease and the
// request to the ledger.
const pauseHeader = "Lesson-Pause"

// maxPause bounds it.
const maxPause = 25 * time.Second

// pauseKey is that of the pause in a context.
type pauseKey struct{}

// pause notes the pause that a request asks for, if this is a lesson.
func (s *service) pause(c echo.Context) {
	d, err := time.ParseDuration(c.Request().Header.Get(pauseHeader))
	if err != nil || d <= 0 || !s.cfg.Lesson.has(Pause) {
		return
	}
	r := c.Request()
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), pauseKey{}, min(d, maxPause))))
}

package ownership

import (
	"hash/fnv"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lesson"
)

// service answers the requests of the API.
type service struct {
	cfg     Config
	me      lease.Identity
	shards  []*shard
	view    *view
	history *history
	store   lease.Store
	client  *http.Client  // of other replicas
	wrong   *lesson.Store // nil outside of lessons
	metrics *metrics
	log     *slog.Logger
}

// retryAfter is what clients are asked to wait when nobody can act.
const retryAfter = time.Second

// routes are held together with openapi.yaml by a test.
func (s *service) routes(e *echo.Echo) {
	e.POST("/v1/entries", s.post)
	e.GET("/v1/accounts/:account", s.account)
	e.GET("/v1/accounts/:account/entries", s.entries)
	e.GET("/v1/owner", s.owner)
	e.GET("/v1/history", s.terms)
	e.POST("/v1/shards/:shard/resign", s.resign)
	e.POST("/v1/lesson/resume", s.resume)
}

// shardOf is where an account is: FNV-1a modulo the number of shards.
func shardOf(account string, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(account)) // a hash takes everything
	return int(h.Sum32() % uint32(shards))
}

func answer(c echo.Context, code int, value any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(code, value)
}

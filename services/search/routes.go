package search

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
	"github.com/flotilla-dev/flotilla/services/search/page"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// server answers requests.
type server struct {
	cfg      *Config
	fleet    *fleet
	engine   *engine
	hedges   budget
	searches *bulkhead.Bulkhead
	writes   *bulkhead.Bulkhead
	metrics  *metrics
	pages    *page.Pages
	instance string
}

// budget is what of a retry budget is shown.
type budget interface {
	Counts() (allowed, refused uint64)
}

//go:embed openapi.yaml
var openAPI []byte

func (s *server) routes(e *echo.Echo) {
	e.Use(s.signed, s.informed)
	get := func(path string, h echo.HandlerFunc) {
		e.GET(path, h)
		e.HEAD(path, h)
	}
	get("/", s.home)
	get("/assets/:name", s.asset)
	get("/v1/search", s.search)
	get("/v1/documents/:id", s.document)
	e.PUT("/v1/documents/:id", s.put)
	e.DELETE("/v1/documents/:id", s.remove)
	e.POST("/v1/documents", s.bulk)
	get("/v1/explain/:id", s.explain)
	e.PUT("/v1/marks/:name", s.mark)
	get("/v1/marks/:name", s.marked)
	get("/v1/status", s.status)
	get("/v1/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", openAPI) })
}

// signed says which root answers. Answers are of the moment: nobody may keep them.
func (s *server) signed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Served-By", s.instance)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

func (s *server) search(c echo.Context) error {
	answer, _, err := s.find(c.Request().Context(), c.QueryParams())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// find searches, within the bounds of the root, and counts how that ends.
func (s *server) find(ctx context.Context, values url.Values) (answer *Answer, r *request, err error) {
	defer func() { s.count(answer, err) }()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	t := s.fleet.hold()
	defer t.release()
	if r, err = parse(values, t, s.cfg.Distribution); err != nil {
		return nil, nil, err // before it has to wait: that costs nothing
	}
	if err = enter(ctx, s.searches); err != nil {
		return nil, nil, err
	}
	defer s.searches.Leave()
	if s.cfg.Distribution == Terms {
		answer, err = s.engine.words(ctx, t, r)
	} else {
		answer, err = s.engine.documents(ctx, t, r)
	}
	if err == nil {
		answer.Unconfirmed = unconfirmed(ctx)
	}
	return answer, r, err
}

func (s *server) count(answer *Answer, err error) {
	outcome := unexpected
	var p *problem.Problem
	switch {
	case err == nil && answer.Harvest.Answered == answer.Harvest.Shards:
		outcome = complete
	case err == nil:
		outcome = partial
	case !errors.As(err, &p):
	case p.Status == http.StatusBadRequest:
		outcome = invalid
	case p.Status == http.StatusGone:
		outcome = expired
	case strings.HasSuffix(p.Type, "#overloaded"):
		outcome = shed
	case strings.HasSuffix(p.Type, "#incomplete"), strings.HasSuffix(p.Type, "#layout-unknown"):
		outcome = none
	}
	s.metrics.answers.WithLabelValues(outcome).Inc()
	if err == nil {
		s.metrics.harvest.Observe(answer.Harvest.Documents)
	}
}

// asking gives a request its time, its turn and the shards.
func (s *server) asking(c echo.Context, ask func(context.Context, *table) error) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.cfg.Timeout)
	defer cancel()
	if err := enter(ctx, s.searches); err != nil {
		return err
	}
	defer s.searches.Leave()
	t := s.fleet.hold()
	defer t.release()
	return ask(ctx, t)
}

func (s *server) document(c echo.Context) error {
	id := api.Param(c, "id")
	if err := checkID(id); err != nil {
		return badDocument(err.Error())
	}
	return s.asking(c, func(ctx context.Context, t *table) error {
		d, err := s.engine.document(ctx, t, id, c.QueryParams())
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, d)
	})
}

func (s *server) explain(c echo.Context) error {
	id := api.Param(c, "id")
	if err := checkID(id); err != nil {
		return badDocument(err.Error())
	}
	return s.asking(c, func(ctx context.Context, t *table) error {
		e, err := s.engine.explain(ctx, t, id, c.QueryParams())
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, e)
	})
}

// marked tells whether every shard has read a mark.
func (s *server) marked(c echo.Context) error {
	name := api.Param(c, "name")
	if err := checkMark(name); err != nil {
		return err
	}
	return s.asking(c, func(ctx context.Context, t *table) error {
		without, err := s.engine.withoutMark(ctx, t, name)
		if err != nil {
			return err
		}
		if len(without) > 0 {
			return problem.New(http.StatusNotFound, "mark-not-found", "not every shard has read this mark").With("shards", without)
		}
		return c.JSON(http.StatusOK, map[string]any{"mark": name, "shards": len(t.shards)})
	})
}

// withoutMark are the shards that have not read a mark yet.
func (e *engine) withoutMark(ctx context.Context, t *table, name string) ([]int, error) {
	s := e.begin(t, &request{all: true})
	parts, shards := s.asked()
	g := scatter.Gather(ctx, e.kinds.status, shards, func(ctx context.Context, _ int, replica *upstream.Endpoint) (a wire.Status, err error) {
		err = e.leaves.get(ctx, replica, "/v1/status", &a)
		return a, err
	})
	note(s, parts, g)
	if err := s.enough(); err != nil {
		return nil, err
	}
	var without []int
	for i := range g {
		has := false
		for _, mark := range g[i].Value.Marks {
			has = has || mark == name
		}
		if !has {
			without = append(without, i)
		}
	}
	return without, nil
}

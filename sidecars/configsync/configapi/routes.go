package configapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// service answers the requests of the API.
type service struct {
	store   *store
	token   string // of those who may write; "" for everybody
	maxSize int64
}

// A route is what may be asked of one configuration. Names have slashes, which
// echo's parameters cannot have: so the router sees one path, and this table is
// behind it.
type route struct {
	method, action string
	rest           bool // something follows the action
	handle         func(s *service, c echo.Context, t target) error
	writes         bool
}

func table() []route {
	return []route{
		{http.MethodGet, "", false, (*service).get, false},
		{http.MethodHead, "", false, (*service).get, false},
		{http.MethodPut, "", false, (*service).put, true},
		{http.MethodDelete, "", false, (*service).remove, true},
		{http.MethodGet, "versions", false, (*service).versions, false},
		{http.MethodGet, "versions", true, (*service).version, false},
		{http.MethodGet, "diff", false, (*service).diff, false},
		{http.MethodPost, "rollback", false, (*service).rollback, true},
	}
}

// below is where configurations are.
const below = "/v1/configs/"

// path is that of a route as the OpenAPI document and the metrics name it.
func (r route) path() string {
	path := below + ":name"
	if r.action != "" {
		path += "/" + r.action
	}
	if r.rest {
		path += "/:version"
	}
	return path
}

// routes are held together with openapi.yaml by a test.
func (s *service) routes(e *echo.Echo) {
	e.GET("/v1/configs", s.list)
	all := table()
	e.Any(below+"*", func(c echo.Context) error {
		t, err := parseTarget(strings.TrimPrefix(c.Request().URL.Path, below))
		if err != nil {
			return problem.New(http.StatusBadRequest, "config-name-invalid", err.Error())
		}
		return s.dispatch(c, all, t)
	})
}

func (s *service) dispatch(c echo.Context, all []route, t target) error {
	var allowed []string
	for _, r := range all {
		if r.action != t.action || r.rest != (t.rest != "") {
			continue
		}
		c.SetPath(r.path())
		if r.method != c.Request().Method {
			allowed = append(allowed, r.method)
			continue
		}
		if r.writes && !s.mayWrite(c.Request()) {
			return problem.New(http.StatusUnauthorized, "token-required", "send the token of those who may write as Authorization: Bearer …")
		}
		return r.handle(s, c, t)
	}
	if len(allowed) > 0 {
		slices.Sort(allowed)
		c.Response().Header().Set("Allow", strings.Join(allowed, ", "))
		return echo.ErrMethodNotAllowed
	}
	return echo.ErrNotFound
}

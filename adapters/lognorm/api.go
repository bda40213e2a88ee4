package lognorm

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// status serves the state of the sources.
type status struct{ sources []*stats }

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, s *status) {
	e.GET("/v1/sources", s.all)
	e.GET("/v1/sources/:name", s.one)
}

// Sources is the answer of GET /v1/sources.
type Sources struct {
	Sources []Source `json:"sources"`
}

func (s *status) all(c echo.Context) error {
	all := Sources{Sources: []Source{}}
	for _, one := range s.sources {
		all.Sources = append(all.Sources, one.snapshot())
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, all)
}

func (s *status) one(c echo.Context) error {
	for _, one := range s.sources {
		if one.name == c.Param("name") {
			c.Response().Header().Set("Cache-Control", "no-store")
			return c.JSON(http.StatusOK, one.snapshot())
		}
	}
	return problem.New(http.StatusNotFound, "no-such-source", "no source has this name; GET /v1/sources lists them")
}

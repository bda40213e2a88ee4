package dictionary

import (
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIHasExactlyTheRoutes(t *testing.T) {
	t.Parallel()
	e := echo.New()
	(&server{}).routes(e, func(next echo.HandlerFunc) echo.HandlerFunc { return next })
	routes := e.Routes()
	for _, r := range routes {
		r.Path = strings.ReplaceAll(r.Path, "*", ":word") // one segment, or more where a slash was not escaped
	}
	diff, err := openapi.Diff(openAPI, routes)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

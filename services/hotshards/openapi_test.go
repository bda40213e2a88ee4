package hotshards

import (
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	e := echo.New()
	(&controller{}).routes(e)
	diff, err := openapi.Diff(openAPI, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

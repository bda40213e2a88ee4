package ownership

import (
	"os"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	(&service{}).routes(e)
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

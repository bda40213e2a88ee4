package topz

import (
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	openapi.Compare(t, "openapi.yaml", func(e *echo.Echo) { routes(e, &handler{}) })
}

package search

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIHasExactlyTheRoutes(t *testing.T) {
	t.Parallel()
	openapi.Compare(t, "openapi.yaml", (&server{}).routes)
}

package leaf

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	openapi.Compare(t, "openapi.yaml", (&leaf{}).routes)
}

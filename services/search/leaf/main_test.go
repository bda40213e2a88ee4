package leaf

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/kafkatest"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

package leaf

import (
	"testing"

	gometrics "github.com/rcrowley/go-metrics"

	"github.com/flotilla-dev/flotilla/internal/kafkatest"
)

func TestMain(m *testing.M) {
	gometrics.UseNilMetrics = true // of the client with which a test deletes a topic; else it leaves a goroutine behind
	kafkatest.Main(m)
}

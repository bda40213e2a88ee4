package kafkatest

import (
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestEmbeddedAndRealBrokersComeBackOnTheirPorts(t *testing.T) {
	Each(t, func(t *testing.T, b *Broker) {
		began := time.Now()
		b.Kill()
		if err := serves(b.Addr); err == nil {
			t.Error("a killed broker answers")
		}
		b.Start()
		t.Logf("killed and ready again in %s", time.Since(began))
		b.Stop()
		if err := serves(b.Addr); err == nil {
			t.Error("a stopped broker answers")
		}
		b.Start()
	})
}

package closedloop

import (
	"testing"
	"time"
)

func TestTheLineOfRedisBenchmarkIsRead(t *testing.T) {
	t.Parallel()
	text := `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","50000.00","0.400","0.100","0.350","0.900","1.500","3.000"
`
	s, err := parseRedisBenchmark(text, 100_000)
	if err != nil || s.Ops != 100_000 || s.Took != 2*time.Second || s.P50 != 350*time.Microsecond || s.P99 != 1500*time.Microsecond {
		t.Errorf("%+v, %v", s, err)
	}
	for _, text := range []string{"", "\"test\",\"rps\"\n", "\"test\",\"rps\"\n\"SET\",\"x\"\n", "\"test\",\"rps\"\n\"SET\",\"0\"\n"} {
		if _, err := parseRedisBenchmark(text, 1); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

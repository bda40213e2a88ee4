package cache

import (
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestOldNamesOfParametersAreStillRead(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{"CACHE_UPSTREAM": "x:1",
		"CACHE_ATTEMPTS": "2", "CACHE_RETRY_SHARE": "0.3", "CACHE_RETRY_MIN_PER_SECOND": "4", "CACHE_RETRY_BURST": "9",
		"CACHE_CHECK_TIMEOUT": "1s", "CACHE_CHECK_UP": "3", "CACHE_CHECK_DOWN": "4",
		"CACHE_EJECT_AFTER": "5", "CACHE_EJECT_BASE": "6s", "CACHE_EJECT_MAX": "7s", "CACHE_EJECT_SHARE": "0.8"})
	must(t, err)
	limits := retry.Limits{RetryAttempts: 2, RetryShare: 0.3, RetryMinPerSecond: 4, RetryBurst: 9}
	health := upstream.Health{CheckTimeout: time.Second, CheckUp: 3, CheckDown: 4,
		EjectAfter: 5, EjectBase: 6 * time.Second, EjectMax: 7 * time.Second, EjectShare: 0.8}
	if cfg.Limits != limits || cfg.Health != health {
		t.Errorf("%+v %+v", cfg.Limits, cfg.Health)
	}
}

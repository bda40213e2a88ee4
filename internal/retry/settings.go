package retry

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// MostAttempts is the largest RETRY_ATTEMPTS.
const MostAttempts = 8

// Limits are how much a program that calls an upstream may try again; embed the
// struct in its configuration. Its variables are names of the process contract,
// which hold for all upstreams of the process and have no prefix.
type Limits struct {
	RetryAttempts     int     `env:"RETRY_ATTEMPTS" envDefault:"3" doc:"most attempts of one request to an upstream, the first included, 1 to 8; 1: no retries"`
	RetryShare        float64 `env:"RETRY_SHARE" envDefault:"0.2" doc:"retries allowed as a share of requests"`
	RetryMinPerSecond float64 `env:"RETRY_MIN_PER_SECOND" envDefault:"5" doc:"retries per second allowed beside the share"`
	RetryBurst        float64 `env:"RETRY_BURST" envDefault:"100" doc:"most retries that can be saved up"`
}

// Problems names every value that makes no sense.
func (l Limits) Problems() config.Error {
	var wrong config.Error
	if l.RetryAttempts < 1 || l.RetryAttempts > MostAttempts {
		wrong.Add("RETRY_ATTEMPTS", "%d is not valid: want 1 to %d", l.RetryAttempts, MostAttempts)
	}
	for _, one := range []struct {
		variable string
		value    float64
	}{{"RETRY_SHARE", l.RetryShare}, {"RETRY_MIN_PER_SECOND", l.RetryMinPerSecond}, {"RETRY_BURST", l.RetryBurst}} {
		if !(one.value >= 0 && one.value <= most) {
			wrong.Add(one.variable, "%g is not valid: want 0 to %d", one.value, int(most))
		}
	}
	return wrong
}

// most is far more than anybody needs, and far from what a Budget can count.
const most = 1e6

// Budget returns a new budget; make one for each upstream.
func (l Limits) Budget() *Budget {
	return NewBudget(BudgetConfig{l.RetryShare, l.RetryMinPerSecond, l.RetryBurst})
}

// Settings are the limits of a program that waits before it tries again, with
// the bounds of that delay; embed them instead of Limits. A data plane does not
// wait: it goes to another replica at once.
type Settings struct {
	Limits
	RetryBase time.Duration `env:"RETRY_BASE" envDefault:"10ms" doc:"bound of the first retry's random delay; it doubles with each retry"`
	RetryMax  time.Duration `env:"RETRY_MAX" envDefault:"1s" doc:"bound of any retry's random delay"`
}

// DefaultSettings returns what the tags give to an empty environment.
func DefaultSettings() Settings {
	return Settings{
		Limits:    Limits{RetryAttempts: 3, RetryShare: 0.2, RetryMinPerSecond: 5, RetryBurst: 100},
		RetryBase: 10 * time.Millisecond, RetryMax: time.Second,
	}
}

// Backoff returns the delays.
func (s Settings) Backoff() Backoff { return Backoff{Base: s.RetryBase, Max: s.RetryMax} }

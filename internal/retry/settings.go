package retry

import "time"

// Settings are the retry parameters of a program that calls an upstream; embed
// the struct in its configuration. They hold for all upstreams of the process.
type Settings struct {
	RetryAttempts     int           `env:"RETRY_ATTEMPTS" envDefault:"3" doc:"most attempts of one request to an upstream, the first included; 1: no retries"`
	RetryShare        float64       `env:"RETRY_SHARE" envDefault:"0.2" doc:"retries allowed as a share of requests"`
	RetryMinPerSecond float64       `env:"RETRY_MIN_PER_SECOND" envDefault:"5" doc:"retries per second allowed beside the share"`
	RetryBurst        float64       `env:"RETRY_BURST" envDefault:"100" doc:"most retries that can be saved up"`
	RetryBase         time.Duration `env:"RETRY_BASE" envDefault:"10ms" doc:"bound of the first retry's random delay; it doubles with each retry"`
	RetryMax          time.Duration `env:"RETRY_MAX" envDefault:"1s" doc:"bound of any retry's random delay"`
}

// DefaultSettings returns what the tags give to an empty environment.
func DefaultSettings() Settings {
	return Settings{
		RetryAttempts: 3, RetryShare: 0.2, RetryMinPerSecond: 5, RetryBurst: 100,
		RetryBase: 10 * time.Millisecond, RetryMax: time.Second,
	}
}

// Budget returns a new budget; make one for each upstream.
func (s Settings) Budget() *Budget {
	return NewBudget(BudgetConfig{s.RetryShare, s.RetryMinPerSecond, s.RetryBurst})
}

// Backoff returns the delays.
func (s Settings) Backoff() Backoff { return Backoff{Base: s.RetryBase, Max: s.RetryMax} }

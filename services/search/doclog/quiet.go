package doclog

import "github.com/rcrowley/go-metrics"

// quiet takes the library's own measurements, which nobody reads, and keeps none: those of the standard registry are kept up to date by
// a goroutine that nothing ends.
type quiet struct{}

func (quiet) GetOrRegister(_ string, metric any) any {
	switch made := metric.(type) {
	case func() metrics.Meter:
		return metrics.Meter(metrics.NilMeter{})
	case func() metrics.Counter:
		return metrics.Counter(metrics.NilCounter{})
	case func() metrics.Histogram:
		return metrics.Histogram(metrics.NilHistogram{})
	default:
		return made
	}
}

func (quiet) Each(func(string, any))            {}
func (quiet) Get(string) any                    { return nil }
func (quiet) GetAll() map[string]map[string]any { return nil }
func (quiet) Register(string, any) error        { return nil }
func (quiet) RunHealthchecks()                  {}
func (quiet) Unregister(string)                 {}
func (quiet) UnregisterAll()                    {}

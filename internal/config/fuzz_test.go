package config_test

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// Whatever a variable says, it is understood or named in the error.
func FuzzParse(f *testing.F) {
	f.Add("64MiB", "2", "3s")
	f.Add("", "-1", "1e9h")
	f.Add("99999999999TiB", "0x10", "1ns")
	f.Fuzz(func(t *testing.T, size, integer, duration string) {
		cfg, _, err := config.Parse[sample](spec, map[string]string{
			"DEMO_UPSTREAM": "a:1", "DEMO_MEMORY": size, "DEMO_RETRIES": integer, "DRAIN_DELAY": duration,
		})
		if err == nil && (cfg.Memory < 0 || cfg.Drain < 0) {
			t.Errorf("%q, %q, %q gave %+v", size, integer, duration, cfg)
		}
	})
}

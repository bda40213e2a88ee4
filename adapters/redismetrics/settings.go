package redismetrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// settings tells of the configuration.
func (s *sink) settings(config map[string]string, all bool) {
	for setting, metric := range map[string]string{"maxmemory": "config_maxmemory", "maxclients": "config_maxclients", "io-threads": "config_io_threads"} {
		if v, err := strconv.ParseFloat(config[setting], 64); err == nil {
			s.gauge(metric, v)
		}
	}
	if !all {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value := config[key]
		if secretSetting(key) && value != "" {
			value = "***"
		}
		s.gauge("config_key_value", 1, key, value)
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			s.gauge("config_value", v, key)
		}
	}
}

// secretSetting are the values that are nobody's business.
func secretSetting(key string) bool {
	return strings.Contains(key, "pass") || strings.Contains(key, "auth") || strings.Contains(key, "secret")
}

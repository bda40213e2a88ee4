package redismetrics

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// answers are what a Redis says in one exchange. What it does not know or allow
// is nil: its metrics are then not there.
type answers struct {
	info       string
	config     map[string]string
	slowLength *int64
	slowest    []any // the last entry of the slow log
	latest     []any // LATENCY LATEST
	histograms []any // LATENCY HISTOGRAM
	clients    string
}

// ask sends all questions at once. It fails when the connection does, or when
// INFO itself is refused.
func ask(ctx context.Context, c *redis.Client, cfg *Config) (*answers, error) {
	pipe := c.Pipeline()
	info := pipe.Do(ctx, "INFO", "ALL")
	length := pipe.Do(ctx, "SLOWLOG", "LEN")
	slowest := pipe.Do(ctx, "SLOWLOG", "GET", "1")
	latest := pipe.Do(ctx, "LATENCY", "LATEST")
	var histograms, clients *redis.Cmd
	if cfg.Histograms {
		histograms = pipe.Do(ctx, "LATENCY", "HISTOGRAM")
	}
	if cfg.Clients {
		clients = pipe.Do(ctx, "CLIENT", "LIST")
	}
	var configs []*redis.Cmd
	for _, name := range settings(bool(cfg.ConfigAll)) {
		configs = append(configs, pipe.Do(ctx, "CONFIG", "GET", name))
	}
	_, _ = pipe.Exec(ctx) // each answer has its own error
	text, err := info.Text()
	var refused redis.Error
	if errors.As(err, &refused) { // servers of other makes do not know ALL
		text, err = c.Info(ctx).Result()
	}
	if err != nil {
		return nil, err
	}
	a := &answers{info: text, config: map[string]string{}}
	if n, err := length.Int64(); err == nil {
		a.slowLength = &n
	}
	a.slowest, a.latest = list(slowest), list(latest)
	if histograms != nil {
		a.histograms = list(histograms)
	}
	if clients != nil {
		a.clients, _ = clients.Text()
	}
	for _, c := range configs {
		pairs := list(c)
		for i := 0; i+1 < len(pairs); i += 2 {
			a.config[word(pairs[i])] = word(pairs[i+1])
		}
	}
	return a, nil
}

// settings are the values of the configuration that are asked for.
func settings(all bool) []string {
	if all {
		return []string{"*"}
	}
	return []string{"maxmemory", "maxclients", "io-threads", "databases"}
}

func list(c *redis.Cmd) []any {
	l, err := c.Slice()
	if err != nil {
		return nil
	}
	return l
}

// word is an element of an answer as a text.
func word(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// whole is an element of an answer as a number.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

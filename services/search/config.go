package search

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// Program describes the root.
var Program = process.Program{
	Name:     "search",
	About:    "searches documents that are spread over leaves, as if they were in one index, and writes them to the log that the leaves follow",
	Calls:    []string{"searchleaf: HTTP", "kafka: Kafka protocol"},
	Families: map[string]string{layout.Prefix: "addresses that the file of shards refers to as ${SEARCH_UPSTREAM_…}"},
}

// Config is the environment of the root.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Limits

	Distribution Distribution `env:"SEARCH_DISTRIBUTION" envDefault:"documents" doc:"documents: each shard has a part of the documents, and all are asked everything; terms: there is one shard, whose replicas are asked a word each"`
	LayoutFile   string       `env:"SEARCH_LAYOUT_FILE,required" doc:"YAML file with the topic, the placement and the shards, reloaded when it changes"`
	Kafka        []string     `env:"SEARCH_KAFKA" doc:"brokers of the log: host:port,…; none: documents cannot be written here"`

	Timeout       time.Duration `env:"SEARCH_TIMEOUT" envDefault:"2s" doc:"for a search, both phases; a caller's X-Request-Timeout may be shorter"`
	WriteTimeout  time.Duration `env:"SEARCH_WRITE_TIMEOUT" envDefault:"5s" doc:"for a write, until the log has it"`
	Concurrency   int           `env:"SEARCH_CONCURRENCY" envDefault:"64" doc:"most searches at a time; four times as many wait, and more get 503"`
	Writes        int           `env:"SEARCH_WRITES" envDefault:"16" doc:"most write requests at a time; four times as many wait, and more get 503"`
	Connections   int           `env:"SEARCH_LEAF_CONNECTIONS" envDefault:"128" doc:"most connections to a leaf; further calls wait for one"`
	Connect       time.Duration `env:"SEARCH_LEAF_CONNECT_TIMEOUT" envDefault:"250ms" doc:"for a connection to a leaf; then another replica is asked"`
	AnswerLimit   config.Size   `env:"SEARCH_LEAF_ANSWER_LIMIT" envDefault:"16MiB" doc:"largest answer of a leaf"`
	FirstReplicas time.Duration `env:"SEARCH_FIRST_REPLICAS" envDefault:"45s" doc:"how long a new root is not ready while a shard has no usable replica"`

	ControlSilence time.Duration `env:"SEARCH_CONTROL_SILENCE" envDefault:"5s" doc:"how long the control topic of the layout file may not be heard of: a new root is not ready meanwhile, and answers behind it are unconfirmed"`

	HedgeQuantile float64       `env:"SEARCH_HEDGE_QUANTILE" envDefault:"0.98" doc:"a call that takes longer than this part of its kind is also made to another replica; 0: never"`
	HedgeBudget   float64       `env:"SEARCH_HEDGE_BUDGET" envDefault:"0.05" doc:"hedges allowed as a share of calls"`
	HedgeWindow   time.Duration `env:"SEARCH_HEDGE_WINDOW" envDefault:"30s" doc:"over which latencies of calls are measured"`
	HedgeFirst    time.Duration `env:"SEARCH_HEDGE_FIRST" envDefault:"100ms" doc:"a call is hedged after this while fewer than 50 were measured"`

	// Lookup gives the values of the SEARCH_UPSTREAM_ variables; nil: the environment.
	Lookup func(name string) (string, bool) `env:"-"`
}

// Distribution is what is divided among the leaves.
type Distribution string

// The values of a Distribution.
const (
	Documents Distribution = "documents"
	Terms     Distribution = "terms"
)

// UnmarshalText takes the name of a value.
func (d *Distribution) UnmarshalText(text []byte) error {
	if *d = Distribution(text); *d != Documents && *d != Terms {
		return fmt.Errorf("want %s or %s", Documents, Terms)
	}
	return nil
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	if len(c.Kafka) > 0 {
		if err := doclog.Check(c.Kafka); err != nil {
			wrong.Add("SEARCH_KAFKA", "%v", err)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"SEARCH_TIMEOUT", c.Timeout}, {"SEARCH_WRITE_TIMEOUT", c.WriteTimeout}, {"SEARCH_FIRST_REPLICAS", c.FirstReplicas}, {"SEARCH_CONTROL_SILENCE", c.ControlSilence}, {"SEARCH_HEDGE_FIRST", c.HedgeFirst}, {"SEARCH_LEAF_CONNECT_TIMEOUT", c.Connect}} {
		wrong.Invalid(d.value <= 0, d.name, d.value, "more than 0s")
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"SEARCH_CONCURRENCY", c.Concurrency}, {"SEARCH_WRITES", c.Writes}, {"SEARCH_LEAF_CONNECTIONS", c.Connections}} {
		wrong.Invalid(n.value < 1 || n.value > 1<<16, n.name, n.value, fmt.Sprintf("1 to %d", 1<<16))
	}
	wrong.Invalid(c.AnswerLimit < 1<<16 || c.AnswerLimit > 1<<30, "SEARCH_LEAF_ANSWER_LIMIT", c.AnswerLimit, "64KiB to 1GiB")
	wrong.Invalid(!(c.HedgeQuantile >= 0 && c.HedgeQuantile < 1), "SEARCH_HEDGE_QUANTILE", c.HedgeQuantile, "0 to less than 1, such as 0.98")
	wrong.Invalid(!(c.HedgeBudget >= 0 && c.HedgeBudget <= 1), "SEARCH_HEDGE_BUDGET", c.HedgeBudget, "0 to 1, such as 0.05")
	wrong.Invalid(c.HedgeWindow < time.Second || c.HedgeWindow > time.Hour, "SEARCH_HEDGE_WINDOW", c.HedgeWindow, "1s to 1h")
	return slices.Concat(wrong, c.Health.Problems(), c.Limits.Problems()).Err()
}

// lookup gives the values that the layout refers to.
func (c *Config) lookup() func(string) (string, bool) {
	if c.Lookup != nil {
		return c.Lookup
	}
	return os.LookupEnv
}

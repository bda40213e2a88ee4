package experiment

import (
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Program describes the process.
var Program = process.Program{
	Name:     "experiment",
	About:    "sends a share of the users to an experiment, always the same ones, and a copy of the traffic to a shadow",
	Calls:    []string{"production, experiments and shadows: HTTP"},
	Families: map[string]string{plan.Prefix: "addresses that the file of experiments refers to as ${EXPERIMENT_UPSTREAM_…}"},
}

// Config is the environment of the process.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Limits

	Production upstream.Address `env:"EXPERIMENT_PRODUCTION,required" doc:"replicas of the service as it is: host:port[/adminport],… or dns:name:port[/adminport] or file:path"`
	TLSName    string           `env:"EXPERIMENT_PRODUCTION_TLS_NAME" doc:"speak TLS to production, whose certificates must bear this name; plain text when empty"`
	CAFile     string           `env:"EXPERIMENT_CA_FILE" doc:"authorities (PEM) that sign the certificates of all arms, reloaded when it changes; the system's when empty"`
	ConfigFile string           `env:"EXPERIMENT_CONFIG_FILE" doc:"YAML file of experiments and shadows, reloaded when it changes; production alone when empty, and until it is there"`

	Cookie  string            `env:"EXPERIMENT_COOKIE" envDefault:"__Host-experiment" doc:"cookie that keeps a user in an experiment; browsers take a __Host- one over TLS only, which may end before this program"`
	Trusted forwarded.Trusted `env:"EXPERIMENT_TRUSTED_PROXIES" doc:"networks and addresses, with commas, whose X-Forwarded-* fields are believed and passed on"`

	Connect   time.Duration `env:"EXPERIMENT_CONNECT_TIMEOUT" envDefault:"1s" doc:"time to connect to a replica, TLS included"`
	Head      time.Duration `env:"EXPERIMENT_HEADER_TIMEOUT" envDefault:"10s" doc:"time for production to begin its answer; that of an experiment is in the file"`
	Whole     time.Duration `env:"EXPERIMENT_TIMEOUT" envDefault:"60s" doc:"time for a request as a whole, bodies included; up to 1m"`
	Wait      time.Duration `env:"EXPERIMENT_WAIT" envDefault:"1s" doc:"how long a request waits when no replica of production is usable"`
	MaxConns  int           `env:"EXPERIMENT_MAX_CONNECTIONS" envDefault:"256" doc:"connections to one replica; further requests wait for one"`
	MaxBody   config.Size   `env:"EXPERIMENT_MAX_BODY" envDefault:"16MiB" doc:"largest request body that is passed on"`
	MaxBuffer config.Size   `env:"EXPERIMENT_MAX_BUFFER" envDefault:"64KiB" doc:"largest request body that can be sent again or copied: a longer one is passed on as it comes"`

	ShadowQueue   int         `env:"EXPERIMENT_SHADOW_QUEUE" envDefault:"256" doc:"copies that wait, per shadow; more are dropped"`
	ShadowWorkers int         `env:"EXPERIMENT_SHADOW_CONCURRENCY" envDefault:"8" doc:"copies under way at once, per shadow"`
	ShadowMemory  config.Size `env:"EXPERIMENT_SHADOW_MEMORY" envDefault:"8MiB" doc:"bytes of bodies that wait for comparison; copies beyond are dropped"`
	ShadowAnswer  config.Size `env:"EXPERIMENT_SHADOW_MAX_ANSWER" envDefault:"256KiB" doc:"largest answer that is compared; of a longer one only the status is"`

	// Lookup gives the values of the EXPERIMENT_UPSTREAM_ variables; nil: the environment.
	Lookup func(name string) (string, bool) `env:"-"`
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"EXPERIMENT_CONNECT_TIMEOUT", c.Connect}, {"EXPERIMENT_HEADER_TIMEOUT", c.Head}, {"EXPERIMENT_TIMEOUT", c.Whole}} {
		wrong.Invalid(d.value <= 0 || d.value > time.Minute, d.name, d.value, "more than 0s, up to 1m")
	}
	wrong.Invalid(c.Wait < 0, "EXPERIMENT_WAIT", c.Wait, "0s or more")
	for _, n := range []struct {
		name  string
		value int
	}{{"EXPERIMENT_MAX_CONNECTIONS", c.MaxConns}, {"EXPERIMENT_SHADOW_QUEUE", c.ShadowQueue}, {"EXPERIMENT_SHADOW_CONCURRENCY", c.ShadowWorkers}} {
		wrong.Invalid(n.value < 1 || n.value > 100_000, n.name, n.value, "1 to 100000")
	}
	wrong.Invalid(c.MaxBody < 1, "EXPERIMENT_MAX_BODY", c.MaxBody, "at least 1B")
	wrong.Invalid(c.MaxBuffer < 0 || c.MaxBuffer > c.MaxBody, "EXPERIMENT_MAX_BUFFER", c.MaxBuffer, "no more than EXPERIMENT_MAX_BODY")
	wrong.Invalid(c.ShadowAnswer < 1 || c.ShadowAnswer > c.ShadowMemory, "EXPERIMENT_SHADOW_MAX_ANSWER", c.ShadowAnswer, "1B to EXPERIMENT_SHADOW_MEMORY")
	wrong.Invalid(!cookieName(c.Cookie), "EXPERIMENT_COOKIE", fmt.Sprintf("%q", c.Cookie), "letters, digits, - or _")
	return slices.Concat(wrong, c.Health.Problems(), c.Limits.Problems()).Err()
}

func cookieName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// lookup gives the values that the file refers to.
func (c *Config) lookup() func(string) (string, bool) {
	if c.Lookup != nil {
		return c.Lookup
	}
	return os.LookupEnv
}

// clientTLS is how an arm is spoken to: nil for plain text.
func clientTLS(roots *certs.Roots, name string) *tls.Config {
	if name == "" {
		return nil
	}
	return roots.Client(name)
}

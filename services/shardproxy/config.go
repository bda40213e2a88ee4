package shardproxy

import (
	"crypto/tls"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// Program describes the process.
var Program = process.Program{
	Name:     "shardproxy",
	About:    "sends each HTTP request to the shard that its key belongs to, and to another replica or shard while that is away",
	Calls:    []string{"replicas of the shards: HTTP/1.1, with or without TLS"},
	Families: map[string]string{layout.Prefix: "addresses that the file of shards refers to as ${SHARDPROXY_UPSTREAM_…}"},
	Commands: map[string]process.Command{"plan": planCommand},
}

// Config is the environment of the process.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Limits

	ConfigFile  string            `env:"SHARDPROXY_CONFIG_FILE,required" doc:"YAML file of the shards, reloaded when it changes"`
	Loss        Loss              `env:"SHARDPROXY_SHARD_LOSS" envDefault:"next" doc:"next: while all replicas of a shard are away, the next shards in the order of each key stand in for it; fail: its keys get 503"`
	CountryFile string            `env:"SHARDPROXY_COUNTRY_FILE" doc:"networks and their countries, for keys with country: CSV, or a MaxMind database where the name ends in .mmdb; reloaded when it changes; networks for documentation alone when empty"`
	Trusted     forwarded.Trusted `env:"SHARDPROXY_TRUSTED_PROXIES" doc:"networks and addresses, with commas, whose X-Forwarded-* fields are believed and passed on"`
	ShardField  string            `env:"SHARDPROXY_SHARD_FIELD" doc:"field of every answer that names the shard it came from, such as X-Shard; none when empty"`

	TLS        process.Switch `env:"SHARDPROXY_SHARD_TLS" envDefault:"off" doc:"on: speak TLS to the replicas"`
	CAFile     string         `env:"SHARDPROXY_SHARD_CA_FILE" doc:"authorities (PEM) that sign the replicas' certificates, reloaded when it changes; the system's when empty"`
	ServerName string         `env:"SHARDPROXY_SHARD_SERVER_NAME" doc:"name that the replicas' certificates must bear, also sent as SNI; the address when empty"`

	HeaderLimit config.Size `env:"SHARDPROXY_HEADER_LIMIT" envDefault:"32KiB" doc:"largest head of a request; more is 431"`
	BodyLimit   config.Size `env:"SHARDPROXY_BODY_LIMIT" envDefault:"16MiB" doc:"largest body of a request; more is 413"`
	Connections int         `env:"SHARDPROXY_CONNECTIONS" envDefault:"16384" doc:"most client connections; past it the slowest and then idle ones are closed"`
	PerAddress  int         `env:"SHARDPROXY_CONNECTIONS_PER_ADDRESS" envDefault:"8192" doc:"most client connections of one address (one /64 for IPv6); a gateway in front has one"`

	HeaderTimeout time.Duration `env:"SHARDPROXY_HEADER_TIMEOUT" envDefault:"10s" doc:"from the first byte of a request to the end of its head, and for a TLS handshake"`
	IdleTimeout   time.Duration `env:"SHARDPROXY_IDLE_TIMEOUT" envDefault:"75s" doc:"how long a client connection may be unused"`
	WriteTimeout  time.Duration `env:"SHARDPROXY_WRITE_TIMEOUT" envDefault:"30s" doc:"for a client to take 32 KiB of an answer"`
	MinRate       config.Size   `env:"SHARDPROXY_MIN_RATE" envDefault:"512B" doc:"slowest average, per second, at which a request body may arrive"`
	MinRateGrace  time.Duration `env:"SHARDPROXY_MIN_RATE_GRACE" envDefault:"10s" doc:"time that a body has before SHARDPROXY_MIN_RATE counts"`
	UpgradeIdle   time.Duration `env:"SHARDPROXY_UPGRADE_IDLE" envDefault:"10m" doc:"how long an upgraded connection (WebSocket) may be silent in both directions"`

	FirstReplicas  time.Duration `env:"SHARDPROXY_FIRST_REPLICAS" envDefault:"45s" doc:"how long a new proxy is not ready while a shard has no usable replica"`
	ConnectTimeout time.Duration `env:"SHARDPROXY_CONNECT_TIMEOUT" envDefault:"1s" doc:"for a connection to a replica, with its TLS handshake"`
	AnswerTimeout  time.Duration `env:"SHARDPROXY_ANSWER_TIMEOUT" envDefault:"30s" doc:"until the head of an answer, retries included; past it is 504"`
	StreamIdle     time.Duration `env:"SHARDPROXY_STREAM_IDLE" envDefault:"60s" doc:"between two pieces of an answer, and for a replica to take a piece of a body"`
	KeepAlive      time.Duration `env:"SHARDPROXY_KEEPALIVE" envDefault:"30s" doc:"how long an unused connection to a replica is kept"`
	MaxIdle        int           `env:"SHARDPROXY_KEEPALIVE_CONNECTIONS" envDefault:"256" doc:"unused connections kept per replica"`
	MaxInFlight    int           `env:"SHARDPROXY_REPLICA_REQUESTS" envDefault:"2048" doc:"most requests in flight to a replica; past it is 503"`

	ContextService upstream.Address `env:"SHARDPROXY_CONTEXT_SERVICE" doc:"service that says which context a session is in, for keys with context: host:port[/adminport],…, dns:name:port[/adminport] or file:path"`
	ContextPath    string           `env:"SHARDPROXY_CONTEXT_PATH" envDefault:"/v1/contexts/" doc:"what stands before the session in the path that the service is asked for"`
	ContextTLS     process.Switch   `env:"SHARDPROXY_CONTEXT_TLS" envDefault:"off" doc:"on: speak TLS to the service"`
	ContextCAFile  string           `env:"SHARDPROXY_CONTEXT_CA_FILE" doc:"authorities (PEM) that sign its certificates, reloaded when it changes; the system's when empty"`
	ContextName    string           `env:"SHARDPROXY_CONTEXT_SERVER_NAME" envDefault:"contexts" doc:"name of the service, as Host and in its certificate"`
	ContextTimeout time.Duration    `env:"SHARDPROXY_CONTEXT_TIMEOUT" envDefault:"500ms" doc:"for a look-up, retries included"`
	ContextTTL     time.Duration    `env:"SHARDPROXY_CONTEXT_TTL" envDefault:"5s" doc:"how long a context serves that was looked up"`
	ContextStale   time.Duration    `env:"SHARDPROXY_CONTEXT_STALE" envDefault:"1m" doc:"and how long after that, while the service cannot be asked"`
	ContextEntries int              `env:"SHARDPROXY_CONTEXT_ENTRIES" envDefault:"65536" doc:"most sessions whose context is remembered"`
	ContextMove    time.Duration    `env:"SHARDPROXY_CONTEXT_MOVE" envDefault:"1s" doc:"how long a request is sent again to who has its session by then, while shards say that they do not hold it (421); 0s: once"`

	Window     time.Duration `env:"SHARDPROXY_WINDOW" envDefault:"10s" doc:"time over which rates, latencies and shares of the load are measured"`
	RecentKeys int           `env:"SHARDPROXY_RECENT_KEYS" envDefault:"8192" doc:"keys in the sample by which plans are made; their hashes are kept, not they themselves"`
	RecentFor  time.Duration `env:"SHARDPROXY_RECENT_FOR" envDefault:"10m" doc:"how long ago a key of that sample may have been seen"`

	// Lookup gives the values of the SHARDPROXY_UPSTREAM_ variables; nil: the environment.
	Lookup func(name string) (string, bool) `env:"-"`
}

// A Loss is what becomes of the keys of a shard that is lost.
type Loss string

// The values of a Loss.
const (
	Next Loss = "next"
	Fail Loss = "fail"
)

// UnmarshalText takes the name of a value.
func (l *Loss) UnmarshalText(text []byte) error {
	if *l = Loss(text); *l != Next && *l != Fail {
		return fmt.Errorf("want %s or %s", Next, Fail)
	}
	return nil
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	if !c.TLS && (c.CAFile != "" || c.ServerName != "") {
		wrong.Add("SHARDPROXY_SHARD_TLS", "is off, so SHARDPROXY_SHARD_CA_FILE and SHARDPROXY_SHARD_SERVER_NAME have no meaning")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"SHARDPROXY_HEADER_TIMEOUT", c.HeaderTimeout}, {"SHARDPROXY_IDLE_TIMEOUT", c.IdleTimeout}, {"SHARDPROXY_WRITE_TIMEOUT", c.WriteTimeout},
		{"SHARDPROXY_MIN_RATE_GRACE", c.MinRateGrace}, {"SHARDPROXY_UPGRADE_IDLE", c.UpgradeIdle}, {"SHARDPROXY_FIRST_REPLICAS", c.FirstReplicas},
		{"SHARDPROXY_CONNECT_TIMEOUT", c.ConnectTimeout}, {"SHARDPROXY_ANSWER_TIMEOUT", c.AnswerTimeout}, {"SHARDPROXY_STREAM_IDLE", c.StreamIdle},
		{"SHARDPROXY_CONTEXT_TIMEOUT", c.ContextTimeout}, {"SHARDPROXY_CONTEXT_TTL", c.ContextTTL},
		{"SHARDPROXY_KEEPALIVE", c.KeepAlive}, {"SHARDPROXY_RECENT_FOR", c.RecentFor}} {
		wrong.Invalid(d.value <= 0, d.name, d.value, "more than 0s")
	}
	wrong.Invalid(!contextPath.MatchString(c.ContextPath), "SHARDPROXY_CONTEXT_PATH", fmt.Sprintf("%q", c.ContextPath), "a path such as /v1/contexts/")
	wrong.Invalid(!hostName.MatchString(c.ContextName), "SHARDPROXY_CONTEXT_SERVER_NAME", fmt.Sprintf("%q", c.ContextName), "a host name")
	if !c.ContextTLS && c.ContextCAFile != "" {
		wrong.Add("SHARDPROXY_CONTEXT_TLS", "is off, so SHARDPROXY_CONTEXT_CA_FILE has no meaning")
	}
	wrong.Invalid(c.Window < time.Second || c.Window > time.Hour, "SHARDPROXY_WINDOW", c.Window, "1s to 1h")
	for _, n := range []struct {
		name       string
		value, min int
	}{{"SHARDPROXY_CONNECTIONS", c.Connections, 1}, {"SHARDPROXY_CONNECTIONS_PER_ADDRESS", c.PerAddress, 1},
		{"SHARDPROXY_KEEPALIVE_CONNECTIONS", c.MaxIdle, 0}, {"SHARDPROXY_REPLICA_REQUESTS", c.MaxInFlight, 1},
		{"SHARDPROXY_CONTEXT_ENTRIES", c.ContextEntries, 1}} {
		wrong.Invalid(n.value < n.min || n.value > 1<<20, n.name, n.value, fmt.Sprintf("%d to %d", n.min, 1<<20))
	}
	wrong.Invalid(c.RecentKeys < 16 || c.RecentKeys > 1<<20, "SHARDPROXY_RECENT_KEYS", c.RecentKeys, "16 to 1048576")
	wrong.Invalid(c.HeaderLimit < 1<<10 || c.HeaderLimit > 1<<20, "SHARDPROXY_HEADER_LIMIT", c.HeaderLimit, "1KiB to 1MiB")
	wrong.Invalid(c.BodyLimit < 1, "SHARDPROXY_BODY_LIMIT", c.BodyLimit, "at least 1B")
	wrong.Invalid(c.MinRate < 1, "SHARDPROXY_MIN_RATE", c.MinRate, "at least 1B")
	wrong.Invalid(c.ShardField != "" && !fieldName(c.ShardField), "SHARDPROXY_SHARD_FIELD", fmt.Sprintf("%q", c.ShardField), "letters, digits and -")
	return slices.Concat(wrong, c.Health.Problems(), c.Limits.Problems()).Err()
}

// What a context's URL is made of needs no escapes.
var (
	contextPath = regexp.MustCompile(`^/([A-Za-z0-9._~-]+/)*$`)
	hostName    = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}$`)
)

// looksUp tells whether a service for contexts is named.
func (c *Config) looksUp() bool { return c.ContextService.String() != "" }

func fieldName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) <= 64
}

// lookup gives the values that the file refers to.
func (c *Config) lookup() func(string) (string, bool) {
	if c.Lookup != nil {
		return c.Lookup
	}
	return os.LookupEnv
}

// limits are those of client connections.
func (c *Config) limits() front.Limits {
	return front.Limits{HeadBytes: int(c.HeaderLimit), Head: c.HeaderTimeout, Idle: c.IdleTimeout, Write: c.WriteTimeout,
		Rate: int64(c.MinRate), Grace: c.MinRateGrace, Upgraded: c.UpgradeIdle}
}

// clientTLS is how replicas are spoken to: nil for plain text.
func (c *Config) clientTLS(roots *certs.Roots) func(serverName string) *tls.Config {
	if !c.TLS {
		return nil
	}
	return func(serverName string) *tls.Config { return roots.Client(serverName, "http/1.1") }
}

package cache

import (
	"crypto/tls"
	"net"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Program describes the process.
var Program = process.Program{
	Name:  "cache",
	About: "caches a replicated HTTP service by RFC 9111: coalescing, stale answers, purge, session routing",
	Calls: []string{"upstream: HTTP", "redis: RESP"},
	Renamed: map[string]string{
		"CACHE_ATTEMPTS": "RETRY_ATTEMPTS", "CACHE_RETRY_SHARE": "RETRY_SHARE",
		"CACHE_RETRY_MIN_PER_SECOND": "RETRY_MIN_PER_SECOND", "CACHE_RETRY_BURST": "RETRY_BURST",
		"CACHE_CHECK_TIMEOUT": "CHECK_TIMEOUT", "CACHE_CHECK_UP": "CHECK_UP", "CACHE_CHECK_DOWN": "CHECK_DOWN",
		"CACHE_EJECT_AFTER": "EJECT_AFTER", "CACHE_EJECT_BASE": "EJECT_BASE", "CACHE_EJECT_MAX": "EJECT_MAX", "CACHE_EJECT_SHARE": "EJECT_SHARE",
	},
}

// Config is the environment of the process.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Limits

	Upstream   upstream.Address `env:"CACHE_UPSTREAM,required" doc:"replicas of the service: host:port[/adminport],… or dns:name:port[/adminport] or file:path"`
	TLS        process.Switch   `env:"CACHE_UPSTREAM_TLS" envDefault:"off" doc:"on: speak TLS to the replicas"`
	CAFile     string           `env:"CACHE_UPSTREAM_CA_FILE" doc:"authorities (PEM) that sign the replicas' certificates, reloaded when it changes; the system's when empty"`
	ServerName string           `env:"CACHE_UPSTREAM_SERVER_NAME" doc:"name that the replicas' certificates must bear, also sent as SNI; the address when empty"`

	Connect     time.Duration `env:"CACHE_CONNECT_TIMEOUT" envDefault:"1s" doc:"time to connect to a replica, TLS included"`
	Header      time.Duration `env:"CACHE_HEADER_TIMEOUT" envDefault:"10s" doc:"time for a replica to begin its answer"`
	Stall       time.Duration `env:"CACHE_STALL_TIMEOUT" envDefault:"30s" doc:"longest pause of a replica within a body, or of a client that reads or sends one"`
	Wait        time.Duration `env:"CACHE_UPSTREAM_WAIT" envDefault:"1s" doc:"how long a request waits when no replica is usable"`
	MaxUpstream int           `env:"CACHE_MAX_UPSTREAM" envDefault:"1024" doc:"requests under way to all replicas together; more are answered from stale responses or with 503"`

	Memory     config.Size   `env:"CACHE_MEMORY" envDefault:"256MiB" doc:"bytes of stored responses, with what is needed to find them"`
	Threads    int           `env:"CACHE_THREADS" envDefault:"1" doc:"threads that work at a time: 1 costs the least for each hit and leaves the other CPUs to those who ask and are asked, more serve more clients at a time where CPUs are free, 0 is one for each CPU"`
	PolicyFile string        `env:"CACHE_POLICY_FILE" doc:"YAML file with the routes, reloaded when it changes; plain RFC 9111 for every path when empty"`
	Validation time.Duration `env:"CACHE_VALIDATION_KEEP" envDefault:"10m" doc:"how long past its freshness a response with a validator is kept"`

	MaxWaiters  int           `env:"CACHE_MAX_WAITERS" envDefault:"1000" doc:"clients that may wait for one upstream answer; more get 503"`
	WaitTimeout time.Duration `env:"CACHE_WAIT_TIMEOUT" envDefault:"35s" doc:"longest wait for another client's upstream request"`

	MaxBans int           `env:"CACHE_MAX_BANS" envDefault:"256" doc:"bans that may be pending before one is applied to the whole store at once"`
	Sweep   time.Duration `env:"CACHE_SWEEP_INTERVAL" envDefault:"10s" doc:"how often the store is walked: pending bans applied and retired, what is past use removed"`

	RedisAddr         string `env:"CACHE_REDIS_ADDR" doc:"host:port of the Redis through which replicas share limits and invalidations; this replica alone when empty"`
	RedisPasswordFile string `env:"CACHE_REDIS_PASSWORD_FILE" doc:"file with its password"`

	LimitReplicas int    `env:"CACHE_LIMIT_REPLICAS" envDefault:"1" doc:"replicas that share the limits, at least, while Redis is away"`
	LimitTracked  int    `env:"CACHE_LIMIT_TRACKED" envDefault:"65536" doc:"clients and classes that limits are kept for; past it newcomers share one bucket a class"`
	LoginKeyFile  string `env:"CACHE_LOGIN_KEY_FILE" doc:"one or two Ed25519 public keys (PEM) that sign login tokens, reloaded when they change; nobody is logged in when empty"`
	LoginAudience string `env:"CACHE_LOGIN_AUDIENCE" envDefault:"flotilla" doc:"audience that login tokens must be for"`
	LoginCookie   string `env:"CACHE_LOGIN_COOKIE" envDefault:"__Host-login" doc:"cookie that may carry the token, beside Authorization: Bearer"`
	MaxInFlight   int    `env:"CACHE_MAX_IN_FLIGHT" envDefault:"2048" doc:"requests that are served at once; more wait for a moment or get 503"`
	MaxQueued     int    `env:"CACHE_MAX_QUEUED" envDefault:"1024" doc:"requests that may wait for that moment"`

	Idle      time.Duration     `env:"CACHE_IDLE_TIMEOUT" envDefault:"60s" doc:"how long an idle client connection stays open"`
	Head      time.Duration     `env:"CACHE_HEAD_TIMEOUT" envDefault:"10s" doc:"time for a client to send the head of a request"`
	MaxBody   config.Size       `env:"CACHE_MAX_REQUEST_BODY" envDefault:"8MiB" doc:"largest request body that is passed on"`
	MaxConns  int               `env:"CACHE_MAX_CONNECTIONS" envDefault:"8192" doc:"open client connections; more are closed at once"`
	Trusted   forwarded.Trusted `env:"CACHE_TRUSTED_PROXIES" doc:"networks and addresses, with commas, whose X-Forwarded-* fields are believed and passed on"`
	AccessLog float64           `env:"CACHE_ACCESS_LOG" envDefault:"1" doc:"share of the requests below status 400 that are logged, 0 to 1; 0 switches the log off"`
	Identity  string            `env:"CACHE_NAME" envDefault:"flotilla" doc:"name of this cache in Cache-Status and Via"`
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	if !c.TLS && (c.CAFile != "" || c.ServerName != "") {
		wrong.Add("CACHE_UPSTREAM_TLS", "is off, so CACHE_UPSTREAM_CA_FILE and CACHE_UPSTREAM_SERVER_NAME have no meaning")
	}
	wrong = slices.Concat(wrong, c.Health.Problems(), c.Limits.Problems())
	for _, n := range []struct {
		name  string
		value int
	}{{"CACHE_MAX_UPSTREAM", c.MaxUpstream}, {"CACHE_MAX_WAITERS", c.MaxWaiters}, {"CACHE_MAX_BANS", c.MaxBans}, {"CACHE_MAX_CONNECTIONS", c.MaxConns},
		{"CACHE_LIMIT_REPLICAS", c.LimitReplicas}, {"CACHE_LIMIT_TRACKED", c.LimitTracked}, {"CACHE_MAX_IN_FLIGHT", c.MaxInFlight}, {"CACHE_MAX_QUEUED", c.MaxQueued}} {
		if n.value < 1 {
			wrong.Add(n.name, "%d is not valid: want at least 1", n.value)
		}
	}
	if c.RedisAddr != "" {
		if _, _, err := net.SplitHostPort(c.RedisAddr); err != nil {
			wrong.Add("CACHE_REDIS_ADDR", "%q is not valid: want host:port", c.RedisAddr)
		}
	}
	if c.RedisAddr == "" && c.RedisPasswordFile != "" {
		wrong.Add("CACHE_REDIS_PASSWORD_FILE", "has no meaning without CACHE_REDIS_ADDR")
	}
	if c.Memory < 1<<20 {
		wrong.Add("CACHE_MEMORY", "%s is not valid: want at least 1MiB", c.Memory)
	}
	if c.Threads < 0 || c.Threads > 1024 {
		wrong.Add("CACHE_THREADS", "%d is not valid: want 0 to 1024", c.Threads)
	}
	if c.AccessLog < 0 || c.AccessLog > 1 {
		wrong.Add("CACHE_ACCESS_LOG", "%g is not valid: want 0 to 1", c.AccessLog)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"CACHE_CONNECT_TIMEOUT", c.Connect}, {"CACHE_HEADER_TIMEOUT", c.Header}, {"CACHE_STALL_TIMEOUT", c.Stall},
		{"CACHE_WAIT_TIMEOUT", c.WaitTimeout}, {"CACHE_SWEEP_INTERVAL", c.Sweep}, {"CACHE_IDLE_TIMEOUT", c.Idle}, {"CACHE_HEAD_TIMEOUT", c.Head}} {
		if d.value <= 0 {
			wrong.Add(d.name, "%s is not valid: want more than 0", d.value)
		}
	}
	if !sfToken(c.Identity) {
		wrong.Add("CACHE_NAME", "%q is not valid: want a letter, then letters, digits, - or _", c.Identity)
	}
	return wrong.Err()
}

// sfToken accepts a safe part of what RFC 8941 allows as a token and RFC 9110 as a pseudonym.
func sfToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// clientTLS is how replicas are spoken to: nil for plain text.
func (c *Config) clientTLS(roots *certs.Roots) *tls.Config {
	if !c.TLS {
		return nil
	}
	return roots.Client(c.ServerName)
}

package redismetrics

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "redismetrics",
	About: "shows the state of a Redis as metrics, with the names that dashboards for redis_exporter know",
	Calls: []string{"redis: RESP"},
}

// Config is the environment of the process.
type Config struct {
	process.Contract

	Addr         string        `env:"REDISMETRICS_ADDR" envDefault:"127.0.0.1:6379" doc:"host:port of the Redis; redis:// may precede it, and rediss:// for TLS"`
	User         string        `env:"REDISMETRICS_USER" doc:"its user, where it knows several"`
	PasswordFile string        `env:"REDISMETRICS_PASSWORD_FILE" doc:"file with its password, read at each scrape"`
	CAFile       string        `env:"REDISMETRICS_CA_FILE" doc:"authorities (PEM) that sign its certificate, reloaded when it changes; the system's when empty"`
	CertFile     string        `env:"REDISMETRICS_CERT_FILE" doc:"certificate (PEM) that it is shown, where it wants one"`
	KeyFile      string        `env:"REDISMETRICS_KEY_FILE" doc:"private key (PEM) of REDISMETRICS_CERT_FILE"`
	ServerName   string        `env:"REDISMETRICS_SERVER_NAME" doc:"name that its certificate must bear; the host of the address when empty"`
	Timeout      time.Duration `env:"REDISMETRICS_TIMEOUT" envDefault:"3s" doc:"time for one scrape of it, whatever it does; less where Prometheus says that it waits less"`

	Targets Allowed `env:"REDISMETRICS_ALLOWED_TARGETS" doc:"host:port, with * and ? in either and commas between, that /scrape?target= may ask with the credentials above; none when empty"`

	CheckKeys  Keys           `env:"REDISMETRICS_CHECK_KEYS" doc:"patterns of keys whose size and value are shown, as db0=session:*, with commas between; they are looked for by SCAN at each scrape"`
	SingleKeys Keys           `env:"REDISMETRICS_CHECK_SINGLE_KEYS" doc:"keys whose size and value are shown, as db0=queue, with commas between"`
	CountKeys  Keys           `env:"REDISMETRICS_COUNT_KEYS" doc:"patterns of keys that are counted, as db0=session:*, with commas between; by SCAN at each scrape"`
	MaxKeys    int            `env:"REDISMETRICS_MAX_KEYS" envDefault:"1000" doc:"keys that one pattern of REDISMETRICS_CHECK_KEYS shows; each is a label value"`
	KeyTexts   process.Switch `env:"REDISMETRICS_KEY_TEXTS" envDefault:"off" doc:"on: values of checked keys that are no numbers are shown too, as labels"`

	Histograms process.Switch `env:"REDISMETRICS_LATENCY_HISTOGRAMS" envDefault:"on" doc:"on: the latencies of each command as a histogram, where the server keeps them"`
	ConfigAll  process.Switch `env:"REDISMETRICS_CONFIG_VALUES" envDefault:"off" doc:"on: all values of CONFIG GET are shown, secrets left out"`
	Clients    process.Switch `env:"REDISMETRICS_CLIENT_LIST" envDefault:"off" doc:"on: each connected client is shown, up to 1000"`
}

// Allowed are the targets that may be asked for.
type Allowed []string

// UnmarshalText reads a list of patterns.
func (a *Allowed) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		host, port, err := net.SplitHostPort(part)
		_, bad := path.Match(part, "")
		if err != nil || bad != nil || host == "" || port == "" {
			return fmt.Errorf("want host:port, with * and ? in either, such as redis-*:6379")
		}
		*a = append(*a, part)
	}
	return nil
}

// Allow tells whether host:port may be asked for. A * matches no dot in a host,
// so that redis-* does not match redis-1.example.com.
func (a Allowed) Allow(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	for _, pattern := range a {
		h, p, _ := net.SplitHostPort(pattern)
		if matches(p, port) && matches(strings.ReplaceAll(h, ".", "/"), strings.ReplaceAll(host, ".", "/")) {
			return true
		}
	}
	return false
}

func matches(pattern, text string) bool {
	ok, err := path.Match(pattern, text)
	return err == nil && ok
}

// Key is a key or a pattern of keys in a database.
type Key struct {
	DB   int
	Name string
}

// Keys are several.
type Keys []Key

// MostKeys bounds the configured keys and patterns.
const MostKeys = 100

// UnmarshalText reads db0=name,db1=other; without a database it is the first.
func (k *Keys) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		one := Key{Name: part}
		if prefix, name, found := strings.Cut(part, "="); found && strings.HasPrefix(prefix, "db") {
			n, err := strconv.ParseUint(prefix[2:], 10, 16)
			if err != nil || name == "" {
				return fmt.Errorf("%q: want a number after db and a key after =, such as db0=session:*", part)
			}
			one = Key{DB: int(n), Name: name}
		}
		*k = append(*k, one)
	}
	if len(*k) > MostKeys {
		return fmt.Errorf("%d of them: want at most %d", len(*k), MostKeys)
	}
	return nil
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	t, err := parseTarget(c.Addr)
	if err != nil {
		wrong.Add("REDISMETRICS_ADDR", "%q is not valid: want host:port, redis://host:port or rediss://host:port", c.Addr)
	}
	if c.Timeout <= 0 {
		wrong.Add("REDISMETRICS_TIMEOUT", "%s is not valid: want more than 0", c.Timeout)
	}
	if c.MaxKeys < 1 {
		wrong.Add("REDISMETRICS_MAX_KEYS", "%d is not valid: want at least 1", c.MaxKeys)
	}
	if c.User != "" && c.PasswordFile == "" {
		wrong.Add("REDISMETRICS_USER", "has no meaning without REDISMETRICS_PASSWORD_FILE")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		wrong.Add("REDISMETRICS_CERT_FILE, REDISMETRICS_KEY_FILE", "set both or neither")
	}
	if err == nil && !t.tls && len(c.Targets) == 0 && (c.CAFile != "" || c.CertFile != "" || c.ServerName != "") {
		wrong.Add("REDISMETRICS_ADDR", "speaks no TLS, so REDISMETRICS_CA_FILE, REDISMETRICS_CERT_FILE and REDISMETRICS_SERVER_NAME have no meaning: begin it with rediss://")
	}
	return wrong.Err()
}

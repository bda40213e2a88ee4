package ownership

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/ownership/stores"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// Program describes ownership to operators and to the wiring test.
var Program = process.Program{
	Name:  "ownership",
	About: "owns shards of a ledger, one replica each, by election",
	Calls: []string{"etcd: gRPC", "Kubernetes: HTTP", "ledger: HTTP", "ownership: HTTP"},
}

// Config is the configuration of a replica.
type Config struct {
	process.Contract
	Shards    int             `env:"OWNERSHIP_SHARDS" envDefault:"4" doc:"shards of the ledger; the same for all replicas and for ever, because accounts do not move"`
	Ledgers   []string        `env:"OWNERSHIP_LEDGERS,required,notEmpty" doc:"workers that keep the shards: host:port, comma-separated; shard n is kept by number n modulo their number, so their order stays, too"`
	Advertise string          `env:"OWNERSHIP_ADVERTISE" doc:"host or host:port at which the other replicas reach this one; the host name when empty, and the port of LISTEN_ADDR without one"`
	TTL       time.Duration   `env:"OWNERSHIP_TTL" envDefault:"3s" doc:"how long an owner may be silent; whole seconds. It is renewed after half of it, and relied upon for three quarters"`
	Poll      time.Duration   `env:"OWNERSHIP_POLL" envDefault:"0s" doc:"how often a listener looks whether a shard is free, to be compared with 0s: it watches"`
	Wait      time.Duration   `env:"OWNERSHIP_WAIT" envDefault:"1s" doc:"how long a request waits while nobody owns its shard"`
	Balance   time.Duration   `env:"OWNERSHIP_BALANCE_INTERVAL" envDefault:"5s" doc:"how often a replica asks the owner of many shards to resign one, if it has at least two fewer; 0s: never"`
	Queue     int             `env:"OWNERSHIP_QUEUE" envDefault:"128" doc:"requests of one shard at a time; more are refused"`
	History   int             `env:"OWNERSHIP_HISTORY" envDefault:"256" doc:"terms that are remembered: who owned what"`
	Timeout   time.Duration   `env:"OWNERSHIP_TIMEOUT" envDefault:"2s" doc:"for one request to a ledger or to another replica"`
	Lesson    Lessons         `env:"OWNERSHIP_LESSON" doc:"mistakes to make, comma-separated: unlock-without-version, pause. They are wrong, and there to be seen failing"`
	Store     stores.Settings `envPrefix:"OWNERSHIP_STORE_"`
}

// Lessons are mistakes that a replica makes on purpose.
type Lessons []string

// The lessons.
const (
	UnlockWithoutVersion = "unlock-without-version"
	Pause                = "pause"
)

// UnmarshalText reads a list of lessons.
func (l *Lessons) UnmarshalText(text []byte) error {
	for name := range strings.SplitSeq(string(text), ",") {
		if name = strings.TrimSpace(name); name != UnlockWithoutVersion && name != Pause {
			return fmt.Errorf("%.40q is no lesson: there are %s and %s", name, UnlockWithoutVersion, Pause)
		}
		*l = append(*l, name)
	}
	return nil
}

// String writes the lessons as they were read.
func (l Lessons) String() string { return strings.Join(l, ",") }

func (l Lessons) has(name string) bool { return slices.Contains(l, name) }

// storePrefix begins the variables of the store.
const storePrefix = "OWNERSHIP_STORE_"

// validate finds what a type cannot express.
func (c Config) validate() error {
	wrong := c.Store.Validate(storePrefix)
	wrong.Want(c.Shards >= 1 && c.Shards <= wire.MaxShards, "OWNERSHIP_SHARDS", "want 1 to %d", wire.MaxShards)
	for _, addr := range c.Ledgers {
		wrong.Want(isAddress(addr), "OWNERSHIP_LEDGERS", "%q is not valid: want host:port", addr)
	}
	wrong.Want(!strings.ContainsAny(c.Advertise, "/# \t"), "OWNERSHIP_ADVERTISE", "want host or host:port")
	wrong.Want(c.TTL >= time.Second && c.TTL <= time.Hour && c.TTL%time.Second == 0, "OWNERSHIP_TTL", "want whole seconds, 1s to 1h")
	wrong.Want(c.Poll == 0 || c.Poll >= 10*time.Millisecond, "OWNERSHIP_POLL", "want 0s, or at least 10ms")
	wrong.Want(c.Wait >= 0 && c.Wait <= 30*time.Second, "OWNERSHIP_WAIT", "want 0s to 30s")
	wrong.Want(c.Balance == 0 || c.Balance >= 100*time.Millisecond, "OWNERSHIP_BALANCE_INTERVAL", "want 0s, or at least 100ms")
	wrong.Want(c.Queue >= 1 && c.Queue <= 100_000, "OWNERSHIP_QUEUE", "want 1 to 100000")
	wrong.Want(c.History >= 1 && c.History <= 100_000, "OWNERSHIP_HISTORY", "want 1 to 100000")
	wrong.Want(c.Timeout > 0, "OWNERSHIP_TIMEOUT", "want more than 0s")
	wrong.Want(!strings.ContainsAny(c.Instance, "@# \t\r\n"), "INSTANCE", "want a name without @, # and spaces")
	return wrong.Err()
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && port != "" && !strings.Contains(text, "/")
}

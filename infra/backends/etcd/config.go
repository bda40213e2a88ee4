package etcd

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "etcd",
	About: "an embedded etcd for fleets on one machine",
	// Nobody can move away from the only etcd: waiting would only delay the end.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
}

// Config is the configuration of the process.
type Config struct {
	process.Contract
	DataDir    string         `env:"ETCD_DATA_DIR" doc:"directory in which data outlives the process; without it they are lost with it"`
	Members    int            `env:"ETCD_MEMBERS" envDefault:"1" doc:"members of the cluster, all in this process: 1 or 3; 3 keep no data"`
	Peers      string         `env:"ETCD_PEERS" doc:"members of a cluster that are processes of their own, name=host:port, comma-separated, as they find each other; this one is that of the name INSTANCE"`
	Quota      config.Size    `env:"ETCD_QUOTA" envDefault:"256MiB" doc:"size of the data; past it only reads and deletes are allowed"`
	Compaction time.Duration  `env:"ETCD_COMPACTION" envDefault:"10m" doc:"how long old revisions of keys are kept"`
	MaxClients int            `env:"ETCD_MAX_CLIENTS" envDefault:"1024" doc:"connections; more are closed at once"`
	Protected  process.Switch `env:"ETCD_PROTECTED" envDefault:"on" doc:"on: only loopback may connect, there being no password"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	if c.Members != 1 && c.Members != 3 {
		wrong.Add("ETCD_MEMBERS", "want 1 or 3")
	}
	if c.Members == 3 && c.DataDir != "" {
		wrong.Add("ETCD_DATA_DIR", "works with one member only: three are there to lose one, not to keep data")
	}
	if err := c.validatePeers(); err != nil {
		wrong.Add("ETCD_PEERS", "%v", err)
	}
	if c.Quota < 16<<20 || c.Quota > 8<<30 {
		wrong.Add("ETCD_QUOTA", "want 16MiB to 8GiB")
	}
	if c.Compaction < time.Second {
		wrong.Add("ETCD_COMPACTION", "want at least 1s")
	}
	if c.MaxClients < 1 {
		wrong.Add("ETCD_MAX_CLIENTS", "want at least 1")
	}
	return wrong.Err()
}

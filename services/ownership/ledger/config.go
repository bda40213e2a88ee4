package ledger

import (
	"fmt"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/ownership/stores"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// Program describes the ledger to operators and to the wiring test.
var Program = process.Program{
	Name:  "ledger",
	About: "keeps shards of a ledger and refuses who no longer owns them",
	Calls: []string{"etcd: gRPC", "Kubernetes: HTTP"},
}

// Config is the configuration of a ledger.
type Config struct {
	process.Contract
	Dir      string          `env:"LEDGER_DIR,notEmpty" envDefault:"/data" doc:"folder of the shards, for one process at a time; what is in it is the ledger"`
	Shards   int             `env:"LEDGER_SHARDS" envDefault:"64" doc:"shards that there may be; asked for are 0 to one less"`
	Accounts int             `env:"LEDGER_ACCOUNTS" envDefault:"10000" doc:"most accounts of one shard"`
	Entries  int             `env:"LEDGER_ENTRIES" envDefault:"10000" doc:"newest entries of one shard that are kept: as long is an id known"`
	FileSize config.Size     `env:"LEDGER_FILE_SIZE" envDefault:"8MiB" doc:"size from which on the file of a shard is written anew"`
	Check    Check           `env:"LEDGER_CHECK" envDefault:"token" doc:"token: refuse a token that is older than one that was seen; store: also ask the store, for each entry, whether the token is that of today's owner"`
	Lesson   Lesson          `env:"LEDGER_LESSON" doc:"no-check: record whatever is asked for, by whomever. It is wrong, and there to be seen failing"`
	Store    stores.Settings `envPrefix:"LEDGER_STORE_"`
}

// A Check is how a worker finds out whether an owner still is one.
type Check string

// UnmarshalText accepts token and store.
func (c *Check) UnmarshalText(text []byte) error {
	switch *c = Check(text); *c {
	case "token", "store":
		return nil
	}
	return fmt.Errorf("%.40q is not valid: want token or store", text)
}

// A Lesson is a mistake to make.
type Lesson string

// NoCheck is the mistake of a worker that believes everybody.
const NoCheck Lesson = "no-check"

// UnmarshalText accepts no-check, and nothing.
func (l *Lesson) UnmarshalText(text []byte) error {
	if *l = Lesson(text); *l == "" || *l == NoCheck {
		return nil
	}
	return fmt.Errorf("%.40q is not valid: want no-check, or nothing", text)
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	wrong.Want(c.Shards >= 1 && c.Shards <= wire.MaxShards, "LEDGER_SHARDS", "want 1 to %d", wire.MaxShards)
	wrong.Want(c.Accounts >= 1 && c.Accounts <= 100_000, "LEDGER_ACCOUNTS", "want 1 to 100000")
	wrong.Want(c.Entries >= 1 && c.Entries <= 100_000, "LEDGER_ENTRIES", "want 1 to 100000")
	wrong.Want(c.FileSize >= 4<<10 && c.FileSize <= 64<<20, "LEDGER_FILE_SIZE", "want 4KiB to 64MiB")
	if c.Check == "store" {
		wrong = append(wrong, c.Store.Validate(storePrefix)...)
	}
	return wrong.Err()
}

// storePrefix begins the variables of the store.
const storePrefix = "LEDGER_STORE_"

package configapi

import (
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program is configapi as a process of the fleet.
var Program = process.Program{
	Name:  "configapi",
	About: "keeps configurations with their versions in etcd",
	Calls: []string{"etcd: gRPC"},
}

// Config is the configuration of a configapi.
type Config struct {
	process.Contract
	Etcd      etcdclient.Settings `envPrefix:"CONFIGAPI_ETCD_"`
	Prefix    string              `env:"CONFIGAPI_PREFIX" envDefault:"/configs/" doc:"what the keys of configurations begin with; ends with /"`
	TokenFile string              `env:"CONFIGAPI_TOKEN_FILE" doc:"file with the bearer token of those who may write; without it everybody may who reaches the port"`
	MaxSize   config.Size         `env:"CONFIGAPI_MAX_SIZE" envDefault:"256KiB" doc:"largest configuration; at most 512KiB, because etcd takes 1.5MiB at once"`
	History   int                 `env:"CONFIGAPI_HISTORY" envDefault:"50" doc:"versions kept of each configuration"`
	MaxNames  int                 `env:"CONFIGAPI_MAX_CONFIGS" envDefault:"1000" doc:"most configurations"`
}

// etcdPrefix begins the variables of Settings.
const etcdPrefix = "CONFIGAPI_ETCD_"

// validate finds what a type cannot express.
func (c Config) validate() error {
	wrong := c.Etcd.Validate(etcdPrefix)
	if len(c.Prefix) < 2 || !strings.HasSuffix(c.Prefix, "/") {
		wrong.Add("CONFIGAPI_PREFIX", "%q is not valid: want something that ends with /, such as /configs/", c.Prefix)
	}
	if c.MaxSize < 1 || c.MaxSize > 512<<10 {
		wrong.Add("CONFIGAPI_MAX_SIZE", "want 1B to 512KiB")
	}
	if c.History < 1 || c.History > 1000 {
		wrong.Add("CONFIGAPI_HISTORY", "want 1 to 1000")
	}
	if c.MaxNames < 1 || c.MaxNames > 10000 {
		wrong.Add("CONFIGAPI_MAX_CONFIGS", "want 1 to 10000")
	}
	return wrong.Err()
}

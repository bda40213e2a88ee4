package process

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/ports"
)

// Contract is the part of the configuration that all programs share. Its
// variables have no prefix; this list is closed.
type Contract struct {
	ListenAddr     string        `env:"LISTEN_ADDR,notEmpty" doc:"data listener: host:port, or fd:N for an inherited descriptor"`
	AdminAddr      string        `env:"ADMIN_ADDR,notEmpty" doc:"administration listener: host:port"`
	AdminTokenFile string        `env:"ADMIN_TOKEN_FILE" doc:"file with the bearer token of the protected administration paths; without it they answer to loopback only"`
	TLSCertFile    string        `env:"TLS_CERT_FILE" doc:"certificate chain (PEM) of the data listener, reloaded when it changes; without it the listener speaks plain text"`
	TLSKeyFile     string        `env:"TLS_KEY_FILE" doc:"private key (PEM) of TLS_CERT_FILE"`
	Instance       string        `env:"INSTANCE" doc:"name of this replica; the host name when empty"`
	DrainDelay     time.Duration `env:"DRAIN_DELAY" envDefault:"3s" doc:"from not ready to closed listeners: time for callers to move away"`
	DrainTimeout   time.Duration `env:"DRAIN_TIMEOUT" envDefault:"10s" doc:"time for requests in flight to finish"`
	LogLevel       slog.Level    `env:"LOG_LEVEL" envDefault:"INFO" doc:"DEBUG, INFO, WARN or ERROR"`
	LogFormat      string        `env:"LOG_FORMAT" envDefault:"json" doc:"json or text"`
	Faults         Switch        `env:"FAULTS" envDefault:"off" doc:"on: faults can be injected through /faults of the administration listener"`

	// OnListen, when set, is told the addresses that were opened.
	OnListen func(data, admin net.Addr) `env:"-"`
}

// A Switch is on or off.
type Switch bool

// UnmarshalText accepts on and off.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "on":
		*s = true
	case "off":
		*s = false
	default:
		return fmt.Errorf("want on or off")
	}
	return nil
}

// String writes the switch as UnmarshalText reads it.
func (s Switch) String() string {
	if s {
		return "on"
	}
	return "off"
}

// validate finds what a type cannot express.
func (c Contract) validate() error {
	var wrong config.Error
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		wrong.Add("TLS_CERT_FILE, TLS_KEY_FILE", "set both or neither")
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		wrong.Add("LOG_FORMAT", "%q is not valid: want json or text", c.LogFormat)
	}
	return wrong.Err()
}

// Program says which program a process is.
type Program struct {
	Name     string            // "dictionary": also its row in the table of ports
	About    string            // one line: what it does
	Ports    []Port            // listeners besides data and administration
	Defaults map[string]string // defaults of contract variables that differ for this program
	Renamed  map[string]string // old variable → new variable, read with a warning
	Families map[string]string // prefixes of variables whose rest the user chooses → meaning
	Calls    []string          // what it calls: "cache: HTTP", for the catalogue
	Commands map[string]Command
}

// A Command is a first argument with which the program does something else than
// to run. It reads no environment.
type Command struct {
	About string // one line: its arguments, and what it does
	// Run gets the arguments after its own. A config.Error is one about them, with
	// which the process exits with code 2; any other error means 1.
	Run func(args []string, stdout io.Writer) error
}

// A Port is a listener of a program.
type Port struct {
	Name     string `json:"name"`
	Number   int    `json:"number"`
	Protocol string `json:"protocol"` // tcp or udp
}

// Prefix is the prefix of the program's own variables.
func (p Program) Prefix() string {
	return strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")) + "_"
}

// Spec is how the program's configuration is read.
func (p Program) Spec() config.Spec {
	pair := ports.Of(p.Name)
	defaults := map[string]string{"LISTEN_ADDR": ports.Addr(pair.Data), "ADMIN_ADDR": ports.Addr(pair.Admin)}
	for name, value := range p.Defaults {
		defaults[name] = value
	}
	return config.Spec{Program: p.Name, Prefix: p.Prefix(), Defaults: defaults, Renamed: p.Renamed, Families: p.Families}
}

// listeners lists all ports of the program.
func (p Program) listeners() []Port {
	pair := ports.Of(p.Name)
	return append([]Port{{"data", pair.Data, "tcp"}, {"admin", pair.Admin, "tcp"}}, p.Ports...)
}

// Parse reads the configuration of a program from a map: what tests use to
// start it as its image would.
func Parse[C any](p Program, environ map[string]string) (C, error) {
	cfg, _, err := config.Parse[C](p.Spec(), environ)
	return cfg, err
}

// instance is the configured name of the replica, or the host's.
func (c Contract) instance() string {
	if c.Instance != "" {
		return c.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

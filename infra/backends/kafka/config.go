package kafka

import (
	"net"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "kafka",
	About: "an embedded Kafka broker for fleets on one machine",
	// Nobody can move away from the only broker: waiting would only delay the end.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
}

// Config is the configuration of the process.
type Config struct {
	process.Contract
	DataDir       string         `env:"KAFKA_DATA_DIR" doc:"directory in which data outlives the process; without it they are lost with it"`
	Advertised    string         `env:"KAFKA_ADVERTISED" doc:"host:port that clients are told to connect to; empty: the data listener, by 127.0.0.1 when it listens everywhere"`
	MaxSize       config.Size    `env:"KAFKA_MAX_SIZE" envDefault:"1GiB" doc:"size of all logs; past it records are refused with KAFKA_STORAGE_ERROR"`
	MaxPartitions int            `env:"KAFKA_MAX_PARTITIONS" envDefault:"256" doc:"partitions of one topic; more are refused with INVALID_PARTITIONS"`
	MaxRequest    config.Size    `env:"KAFKA_MAX_REQUEST" envDefault:"16MiB" doc:"bytes of one request; a larger one ends its connection"`
	MaxClients    int            `env:"KAFKA_MAX_CLIENTS" envDefault:"1024" doc:"connections; more are closed at once"`
	Protected     process.Switch `env:"KAFKA_PROTECTED" envDefault:"on" doc:"on: only loopback may connect, there being no password"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	wrong.Want(c.Advertised == "" || validAddress(c.Advertised), "KAFKA_ADVERTISED", "want host:port")
	wrong.Want(c.MaxSize >= 1<<20, "KAFKA_MAX_SIZE", "want at least 1MiB")
	wrong.Want(c.MaxPartitions >= 1 && c.MaxPartitions <= 10_000, "KAFKA_MAX_PARTITIONS", "want 1 to 10000")
	wrong.Want(c.MaxRequest >= 1<<10 && c.MaxRequest <= 1<<30, "KAFKA_MAX_REQUEST", "want 1KiB to 1GiB")
	wrong.Want(c.MaxClients >= 1, "KAFKA_MAX_CLIENTS", "want at least 1")
	return wrong.Err()
}

func validAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	number, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && host != "" && bad == nil && number > 0
}

// advertised is the address that clients are told. A listener on all interfaces has none that
// can be connected to, but who may connect is on this machine.
func (c Config) advertised(listener net.Addr) string {
	if c.Advertised != "" {
		return c.Advertised
	}
	host, port, _ := net.SplitHostPort(listener.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

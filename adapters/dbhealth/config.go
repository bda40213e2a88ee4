package dbhealth

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Program describes dbhealth to operators and to the wiring test.
var Program = process.Program{
	Name:  "dbhealth",
	About: "liveness and readiness of a database, by a representative query",
	Calls: []string{"a database: MySQL or PostgreSQL"},
}

// Engine is the kind of a database.
type Engine string

const (
	MySQL    Engine = "mysql"
	Postgres Engine = "postgres"
)

// UnmarshalText takes the name of an engine.
func (e *Engine) UnmarshalText(text []byte) error {
	if *e = Engine(text); *e != MySQL && *e != Postgres {
		return errors.New("want mysql (MariaDB too) or postgres")
	}
	return nil
}

// Config is the configuration of dbhealth.
type Config struct {
	process.Contract
	Engine       Engine        `env:"DBHEALTH_ENGINE" envDefault:"mysql" doc:"mysql (MariaDB too) or postgres"`
	Address      string        `env:"DBHEALTH_ADDRESS" envDefault:"localhost:3306" doc:"host:port of the database"`
	User         string        `env:"DBHEALTH_USER,required,notEmpty" doc:"user, who needs the rights for the query and no more"`
	PasswordFile string        `env:"DBHEALTH_PASSWORD_FILE" doc:"file with the user's password, read for each check; empty: there is none"`
	Database     string        `env:"DBHEALTH_DATABASE" doc:"database to connect to"`
	Query        string        `env:"DBHEALTH_QUERY,notEmpty" envDefault:"SELECT 1" doc:"representative query"`
	Timeout      time.Duration `env:"DBHEALTH_TIMEOUT" envDefault:"700ms" doc:"how long connection and query may take; a probe is answered by then"`
	TTL          time.Duration `env:"DBHEALTH_TTL" envDefault:"1s" doc:"how long an answer is used"`
	HangLimit    time.Duration `env:"DBHEALTH_HANG_LIMIT" envDefault:"30s" doc:"not alive when it accepts connections and says nothing for longer"`
	StopLimit    time.Duration `env:"DBHEALTH_STOP_LIMIT" envDefault:"5m" doc:"not alive when it refuses connections for longer: as long as a start with recovery may take"`

	MinRows int           `env:"DBHEALTH_MIN_ROWS" envDefault:"1" doc:"not ready when the query has fewer rows"`
	MaxRows int           `env:"DBHEALTH_MAX_ROWS" envDefault:"1000" doc:"not ready when it has more; no more are read"`
	Value   string        `env:"DBHEALTH_VALUE" doc:"not ready when the first column of the first row is another; empty: any will do"`
	MaxLag  time.Duration `env:"DBHEALTH_MAX_LAG" envDefault:"0s" doc:"not ready when a replica is further behind, or its replication has stopped; 0s: not asked"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	host, port, err := net.SplitHostPort(c.Address)
	wrong.Want(err == nil && host != "" && port != "", "DBHEALTH_ADDRESS", "%q is not valid: want host:port", c.Address)
	wrong.Want(c.Engine != Postgres || c.Database != "", "DBHEALTH_DATABASE", "is required with postgres")
	wrong.Want(c.Timeout >= 10*time.Millisecond, "DBHEALTH_TIMEOUT", "want at least 10ms")
	wrong.Want(c.HangLimit > c.Timeout, "DBHEALTH_HANG_LIMIT", "want more than DBHEALTH_TIMEOUT")
	wrong.Want(c.StopLimit > c.Timeout, "DBHEALTH_STOP_LIMIT", "want more than DBHEALTH_TIMEOUT")
	wrong.Want(c.MinRows >= 0, "DBHEALTH_MIN_ROWS", "want 0 or more")
	wrong.Want(c.MaxRows >= c.MinRows, "DBHEALTH_MAX_ROWS", "want at least DBHEALTH_MIN_ROWS")
	wrong.Want(c.Value == "" || c.MaxRows > 0, "DBHEALTH_VALUE", "cannot be with DBHEALTH_MAX_ROWS 0")
	return wrong.Err()
}

// password reads the password as it is now: it may be replaced while the
// process runs.
func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	content, err := watch.Read(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read DBHEALTH_PASSWORD_FILE: %w", err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

package mysql

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "mysql",
	About: "an embedded MySQL for fleets on one machine: its protocol, in front of SQLite",
	// Nobody can move away from the only database: waiting would only delay the end.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
}

// Config is the configuration of the process.
type Config struct {
	process.Contract
	Database     string         `env:"MYSQL_DATABASE,notEmpty" envDefault:"flotilla" doc:"name of the one database"`
	User         string         `env:"MYSQL_USER,notEmpty" envDefault:"root" doc:"name of the one user"`
	PasswordFile string         `env:"MYSQL_PASSWORD_FILE" doc:"file with the user's password; without it there is none"`
	Protected    process.Switch `env:"MYSQL_PROTECTED" envDefault:"on" doc:"on: only loopback may connect while there is no password"`
	DataDir      string         `env:"MYSQL_DATA_DIR" doc:"folder that keeps the database; processes on one machine may share it. Empty: a temporary one, which goes when the process ends"`
	MaxSize      config.Size    `env:"MYSQL_MAX_SIZE" envDefault:"256MiB" doc:"size of the database; above it what adds data is refused"`
	MaxClients   int            `env:"MYSQL_MAX_CLIENTS" envDefault:"151" doc:"connections; more are refused with an error"`
	MaxPacket    config.Size    `env:"MYSQL_MAX_PACKET" envDefault:"16MiB" doc:"bytes of one statement with its values"`
	MaxResult    config.Size    `env:"MYSQL_MAX_RESULT" envDefault:"32MiB" doc:"bytes of the rows of one answer"`
	MaxTime      time.Duration  `env:"MYSQL_MAX_STATEMENT_TIME" envDefault:"30s" doc:"how long a statement may run"`
	LockWait     time.Duration  `env:"MYSQL_LOCK_WAIT" envDefault:"5s" doc:"how long a statement waits for another transaction that writes"`
	Idle         time.Duration  `env:"MYSQL_WAIT_TIMEOUT" envDefault:"1h" doc:"how long a connection may send nothing"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	wrong.Want(!strings.ContainsAny(c.Database, "`'\"./\\\x00") && len(c.Database) <= 64, "MYSQL_DATABASE", "want a plain name of at most 64 characters")
	wrong.Want(c.MaxClients >= 1, "MYSQL_MAX_CLIENTS", "want at least 1")
	wrong.Want(c.MaxPacket >= 1<<10, "MYSQL_MAX_PACKET", "want at least 1KiB")
	wrong.Want(c.MaxResult >= 1<<10, "MYSQL_MAX_RESULT", "want at least 1KiB")
	wrong.Want(c.MaxSize >= 1<<20, "MYSQL_MAX_SIZE", "want at least 1MiB")
	wrong.Want(c.MaxTime > 0, "MYSQL_MAX_STATEMENT_TIME", "want more than 0s")
	wrong.Want(c.Idle > 0, "MYSQL_WAIT_TIMEOUT", "want more than 0s")
	return wrong.Err()
}

// password reads the password: the file's content without the line's end.
func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	content, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read MYSQL_PASSWORD_FILE: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" {
		return "", fmt.Errorf("read MYSQL_PASSWORD_FILE: %s is empty", c.PasswordFile)
	}
	return password, nil
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	password, err := cfg.password()
	if err != nil {
		return err
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.close()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	p.Health.Ready("store", store.check)
	p.Serve(newServer(cfg, password, store, p.Metrics, p.Log))
	if cfg.DataDir == "" {
		p.Log.Info("data is lost when this process ends: there is no MYSQL_DATA_DIR")
	}
	return p.Run(ctx)
}

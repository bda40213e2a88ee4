package configsync

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/notify"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/syntax"
)

// Program is configsync as a process of the fleet.
var Program = process.Program{
	Name:  "configsync",
	About: "keeps the configuration files of an application equal to keys in etcd",
	Calls: []string{"etcd: gRPC"},
}

// Config is the configuration of a configsync.
type Config struct {
	process.Contract
	Etcd   etcdclient.Settings `envPrefix:"CONFIGSYNC_ETCD_"`
	Key    string              `env:"CONFIGSYNC_KEY" doc:"key whose value CONFIGSYNC_FILE has"`
	File   string              `env:"CONFIGSYNC_FILE" doc:"file that has the value of CONFIGSYNC_KEY"`
	Prefix string              `env:"CONFIGSYNC_PREFIX" doc:"instead of one key: all that begin so, as files of CONFIGSYNC_DIR, each named by the rest of its key"`
	Dir    string              `env:"CONFIGSYNC_DIR" doc:"directory for the keys with CONFIGSYNC_PREFIX"`

	Syntax          syntax.Kind   `env:"CONFIGSYNC_SYNTAX" envDefault:"auto" doc:"that a file must have: json, yaml, toml, ini, none, or auto: by its name"`
	Validate        string        `env:"CONFIGSYNC_VALIDATE" doc:"command that accepts a file by exit status 0; {} stands for the file, words are separated by spaces, there is no shell"`
	ValidateTimeout time.Duration `env:"CONFIGSYNC_VALIDATE_TIMEOUT" envDefault:"2s" doc:"for the command"`

	Signal  notify.Signal `env:"CONFIGSYNC_SIGNAL" envDefault:"none" doc:"sent to the application after a change: none (it watches its files), SIGHUP, SIGUSR1, SIGUSR2, SIGTERM or SIGKILL (somebody starts it again)"`
	PIDFile string        `env:"CONFIGSYNC_PID_FILE" doc:"file with the number of the application's process"`
	Process string        `env:"CONFIGSYNC_PROCESS" doc:"name of the application's process, which is looked for in the shared PID namespace; beside CONFIGSYNC_PID_FILE: the name that its process must have"`

	Ready    When          `env:"CONFIGSYNC_READY" envDefault:"file" doc:"file: ready when a file is there, from now or from before; synced: when etcd was reached once; always"`
	MaxSize  config.Size   `env:"CONFIGSYNC_MAX_SIZE" envDefault:"1MiB" doc:"largest file"`
	MaxFiles int           `env:"CONFIGSYNC_MAX_FILES" envDefault:"64" doc:"most keys under CONFIGSYNC_PREFIX"`
	Mode     Mode          `env:"CONFIGSYNC_MODE" envDefault:"0644" doc:"permissions of a file, in octal"`
	Resync   time.Duration `env:"CONFIGSYNC_RESYNC" envDefault:"5s" doc:"how often everything is compared again; changes do not wait for it"`
}

// When says when a configsync is ready.
type When string

// UnmarshalText accepts file, synced and always.
func (w *When) UnmarshalText(text []byte) error {
	switch when := When(text); when {
	case "file", "synced", "always":
		*w = when
		return nil
	}
	return errors.New("want file, synced or always")
}

// Mode is the permissions of a file.
type Mode fs.FileMode

// UnmarshalText reads an octal number.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 || n&0o400 == 0 {
		return errors.New("want permissions in octal that let the owner read, such as 0644")
	}
	*m = Mode(n)
	return nil
}

// String writes the mode as UnmarshalText reads it.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// etcdPrefix begins the variables of Settings.
const etcdPrefix = "CONFIGSYNC_ETCD_"

// validate finds what a type cannot express.
func (c Config) validate() error {
	wrong := c.Etcd.Validate(etcdPrefix)
	file, dir := c.Key != "" || c.File != "", c.Prefix != "" || c.Dir != ""
	switch {
	case file && dir:
		wrong.Add("CONFIGSYNC_KEY", "and CONFIGSYNC_PREFIX exclude each other: one file or a directory")
	case !file && !dir:
		wrong.Add("CONFIGSYNC_KEY", "is required, with CONFIGSYNC_FILE; or CONFIGSYNC_PREFIX with CONFIGSYNC_DIR")
	case file && (c.Key == "" || c.File == ""):
		wrong.Add("CONFIGSYNC_KEY, CONFIGSYNC_FILE", "set both")
	case dir && (c.Prefix == "" || c.Dir == ""):
		wrong.Add("CONFIGSYNC_PREFIX, CONFIGSYNC_DIR", "set both")
	case file && strings.HasSuffix(c.File, "/"):
		wrong.Add("CONFIGSYNC_FILE", "is a directory: want the file")
	}
	if c.Signal != "none" && c.PIDFile == "" && c.Process == "" {
		wrong.Add("CONFIGSYNC_SIGNAL", "needs CONFIGSYNC_PID_FILE or CONFIGSYNC_PROCESS: who is to be told?")
	}
	if c.ValidateTimeout <= 0 {
		wrong.Add("CONFIGSYNC_VALIDATE_TIMEOUT", "want more than 0s")
	}
	if c.MaxSize < 1 || c.MaxSize > 16<<20 {
		wrong.Add("CONFIGSYNC_MAX_SIZE", "want 1B to 16MiB")
	}
	if c.MaxFiles < 1 || c.MaxFiles > 1024 {
		wrong.Add("CONFIGSYNC_MAX_FILES", "want 1 to 1024")
	}
	if c.Resync < 100*time.Millisecond {
		wrong.Add("CONFIGSYNC_RESYNC", "want at least 100ms")
	}
	return wrong.Err()
}

// dir is the directory that is kept.
func (c Config) dir() string {
	if c.Dir != "" {
		return c.Dir
	}
	return filepath.Dir(c.File)
}

// name returns the path in the directory that a key has.
func (c Config) name(key string) (string, error) {
	if c.Prefix == "" {
		return filepath.Base(c.File), nil
	}
	return below(strings.TrimPrefix(key, c.Prefix))
}

const (
	maxName  = 200 // bytes
	maxParts = 8
)

// below returns the rest of a key as a path that stays in a directory and means no
// hidden file: keys are written by others.
func below(rest string) (string, error) {
	parts := strings.Split(rest, "/")
	switch {
	case len(rest) > maxName || len(parts) > maxParts:
		return "", fmt.Errorf("the rest of the key is longer than %d bytes or %d parts", maxName, maxParts)
	case strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == 0xfffd }):
		return "", errors.New("the rest of the key has characters that no file name should have")
	}
	for _, part := range parts {
		if part == "" || part[0] == '.' {
			return "", errors.New("a part of the key is empty or begins with a dot")
		}
	}
	return path.Clean(rest), nil
}

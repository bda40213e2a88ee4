package lognorm

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/sources"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Program describes the process.
var Program = process.Program{
	Name:  "lognorm",
	About: "turns logs of many formats into one: the OpenTelemetry log data model, on standard output and by OTLP",
	Calls: []string{"collector: OTLP/HTTP", "redis: RESP", "polled endpoints: HTTP"},
}

// Config is the environment of the process.
type Config struct {
	process.Contract

	SourcesFile string         `env:"LOGNORM_SOURCES_FILE" doc:"YAML file with the sources; for a single one LOGNORM_FILES or LOGNORM_STDIN will do"`
	Files       []string       `env:"LOGNORM_FILES" doc:"files of a single source: absolute paths, patterns such as /logs/*.log, with commas between"`
	Stdin       process.Switch `env:"LOGNORM_STDIN" envDefault:"off" doc:"on: standard input is the single source, and its end ends the process"`
	Format      string         `env:"LOGNORM_FORMAT" envDefault:"auto" doc:"format of the single source: auto, json, glog, syslog, log4j, jul, access, python, logfmt or plain"`
	Multiline   string         `env:"LOGNORM_MULTILINE" envDefault:"trace" doc:"lines that continue a record of the single source: trace (stack traces), header (all that begin no record) or off"`
	Timezone    string         `env:"LOGNORM_TIMEZONE" envDefault:"UTC" doc:"time zone of times that name none, in the single source"`
	Start       string         `env:"LOGNORM_START" envDefault:"beginning" doc:"where files of the single source that are there at the very first start are begun: beginning or end"`
	Service     string         `env:"LOGNORM_SERVICE" doc:"service.name of the records of the single source"`

	StateFile  string        `env:"LOGNORM_STATE_FILE" doc:"file that keeps how far each source was delivered; nothing is kept when empty"`
	SaveEvery  time.Duration `env:"LOGNORM_SAVE_INTERVAL" envDefault:"1s" doc:"longest time between two saves of the state"`
	SaveLines  int           `env:"LOGNORM_SAVE_LINES" envDefault:"10000" doc:"most lines between two saves: so many may be repeated after a crash"`
	Buffer     config.Size   `env:"LOGNORM_BUFFER" envDefault:"4MiB" doc:"records on their way; when it is full, sources wait"`
	MaxLine    config.Size   `env:"LOGNORM_MAX_LINE" envDefault:"64KiB" doc:"longest line; a longer one is passed on in pieces"`
	MaxFiles   int           `env:"LOGNORM_MAX_FILES" envDefault:"256" doc:"files of a source that are held open"`
	Poll       time.Duration `env:"LOGNORM_POLL_INTERVAL" envDefault:"200ms" doc:"how often files are asked for more"`
	Look       time.Duration `env:"LOGNORM_LOOK_INTERVAL" envDefault:"1s" doc:"how often directories are looked at for new and rotated files"`
	TraceWait  time.Duration `env:"LOGNORM_TRACE_WAIT" envDefault:"500ms" doc:"how long a record waits for lines that continue it"`
	LineWait   time.Duration `env:"LOGNORM_LINE_WAIT" envDefault:"5s" doc:"how long a line waits for its end"`
	Grace      time.Duration `env:"LOGNORM_ROTATION_GRACE" envDefault:"5s" doc:"how long a rotated file is kept open after its last growth"`
	OTLPGiveUp time.Duration `env:"LOGNORM_OTLP_PATIENCE" envDefault:"5m" doc:"how long a batch is sent again while the collector is away, until its records count as lost for it; 0s: for ever"`

	// In, Out and Getenv stand for those of the operating system, when they are set.
	In     io.Reader           `env:"-"`
	Out    io.Writer           `env:"-"`
	Getenv func(string) string `env:"-"`
}

// window is what is read at a time, and so the longest record.
const window = 256 << 10

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"LOGNORM_SAVE_INTERVAL", c.SaveEvery}, {"LOGNORM_POLL_INTERVAL", c.Poll}, {"LOGNORM_LOOK_INTERVAL", c.Look},
		{"LOGNORM_TRACE_WAIT", c.TraceWait}, {"LOGNORM_LINE_WAIT", c.LineWait}, {"LOGNORM_ROTATION_GRACE", c.Grace}} {
		if d.value <= 0 {
			wrong.Add(d.name, "%s is not valid: want more than 0", d.value)
		}
	}
	if c.SaveLines < deliver.Records {
		wrong.Add("LOGNORM_SAVE_LINES", "%d is not valid: want at least %d, which is a batch", c.SaveLines, deliver.Records)
	}
	if c.Buffer < 2*deliver.Size || c.Buffer > 1<<30 {
		wrong.Add("LOGNORM_BUFFER", "%s is not valid: want %s to 1GiB", c.Buffer, config.Size(2*deliver.Size))
	}
	if c.MaxLine < 1<<10 || c.MaxLine > window/2 {
		wrong.Add("LOGNORM_MAX_LINE", "%s is not valid: want 1KiB to %s", c.MaxLine, config.Size(window/2))
	}
	if c.MaxFiles < 8 {
		wrong.Add("LOGNORM_MAX_FILES", "%d is not valid: want at least 8", c.MaxFiles)
	}
	if c.StateFile != "" && !filepath.IsAbs(c.StateFile) {
		wrong.Add("LOGNORM_STATE_FILE", "%q is not valid: want an absolute path", c.StateFile)
	}
	return wrong.Err()
}

// sources returns the configured sources.
func (c *Config) sources() ([]sources.Source, error) {
	single := len(c.Files) > 0 || bool(c.Stdin)
	switch {
	case single && c.SourcesFile != "":
		return nil, config.Error{{Variable: "LOGNORM_SOURCES_FILE", Message: "excludes LOGNORM_FILES and LOGNORM_STDIN: put all sources into the file"}}
	case len(c.Files) > 0 && bool(c.Stdin):
		return nil, config.Error{{Variable: "LOGNORM_STDIN", Message: "is one source and LOGNORM_FILES another: for several use LOGNORM_SOURCES_FILE"}}
	case c.SourcesFile != "":
		content, err := watch.Read(c.SourcesFile)
		if err != nil {
			return nil, fmt.Errorf("LOGNORM_SOURCES_FILE: %w", err)
		}
		all, err := sources.Parse(content)
		if err != nil {
			return nil, config.Error{{Variable: "LOGNORM_SOURCES_FILE", Message: err.Error()}}
		}
		return all, nil
	case !single:
		return nil, config.Error{{Variable: "LOGNORM_SOURCES_FILE, LOGNORM_FILES, LOGNORM_STDIN", Message: "set one of them: there is nothing to read"}}
	}
	one := sources.Source{Name: "files", Files: c.Files, Stdin: bool(c.Stdin), Format: c.Format, Lines: c.Multiline, Timezone: c.Timezone, Start: c.Start}
	if c.Stdin {
		one.Name = "stdin"
	}
	if c.Service != "" {
		one.Resource = map[string]string{"service.name": c.Service}
	}
	all := []sources.Source{one}
	for _, pattern := range c.Files {
		if match, err := filepath.Match(pattern, c.StateFile); err == nil && match {
			return nil, config.Error{{Variable: "LOGNORM_STATE_FILE", Message: "is one of LOGNORM_FILES: put it elsewhere"}}
		}
	}
	if wrong := sources.Check(all); len(wrong) > 0 {
		return nil, config.Error{{Variable: "LOGNORM_*", Message: errors.Join(wrong...).Error()}}
	}
	return all, nil
}

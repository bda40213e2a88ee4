// Package sources is what lognorm reads: the sources of a YAML file or of the
// environment, checked.
package sources

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
	"github.com/flotilla-dev/flotilla/internal/yamlfile"
)

// Source is one source of records: files, standard input, or something that is
// asked again and again.
type Source struct {
	Name     string            `yaml:"name"`
	Files    []string          `yaml:"files"` // patterns of paths
	Stdin    bool              `yaml:"stdin"`
	Slowlog  *Slowlog          `yaml:"slowlog"`
	REST     *REST             `yaml:"rest"`
	Format   string            `yaml:"format"`    // auto when empty
	Lines    string            `yaml:"multiline"` // which lines continue a record: trace, header or off
	Timezone string            `yaml:"timezone"`  // of times that name none; UTC when empty
	Start    string            `yaml:"start"`     // of files that are there at the very first start: beginning or end
	Resource map[string]string `yaml:"resource"`

	Location *time.Location  `yaml:"-"`
	Formats  []format.Format `yaml:"-"`
}

// Slowlog is the slow log of a Redis.
type Slowlog struct {
	Address      string   `yaml:"address"` // host:port
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file"`
	CAFile       string   `yaml:"ca_file"` // speaks TLS when set
	Every        Duration `yaml:"every"`
}

// REST is an endpoint that answers a list of objects.
type REST struct {
	URL      string   `yaml:"url"`
	Every    Duration `yaml:"every"`
	Items    string   `yaml:"items"`    // where in the answer the list is: names with dots between; the answer itself when empty
	ID       []string `yaml:"id"`       // fields that together tell items apart; the whole item when empty
	Time     string   `yaml:"time"`     // fields that are no conventional names
	Body     string   `yaml:"body"`     //
	Severity string   `yaml:"severity"` // of items that tell none
	CAFile   string   `yaml:"ca_file"`
	Token    string   `yaml:"token_file"` // sent as Authorization: Bearer
}

// Duration is a time with its unit.
type Duration time.Duration

// UnmarshalYAML refuses what has no unit.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v <= 0 {
		return yamlfile.Mistake(n, "a duration with its unit, such as 10s")
	}
	*d = Duration(v)
	return nil
}

// Max bounds the sources: each is a label value.
const Max = 64

// Parse reads a YAML file. The error names every mistake.
func Parse(content []byte) ([]Source, error) {
	var file struct {
		Sources []Source `yaml:"sources"`
	}
	wrong, err := yamlfile.Decode(content, &file)
	if err != nil {
		return nil, err
	}
	if len(file.Sources) == 0 && len(wrong) == 0 {
		wrong = append(wrong, errors.New("sources: none; want a list of them"))
	}
	wrong = append(wrong, Check(file.Sources)...)
	return file.Sources, errors.Join(wrong...)
}

// Check completes sources with their defaults and finds all that is wrong.
func Check(all []Source) []error {
	var wrong []error
	if len(all) > Max {
		return []error{fmt.Errorf("sources: %d of them, at most %d", len(all), Max)}
	}
	names := map[string]bool{}
	stdin := 0
	for i := range all {
		s := &all[i]
		at := fmt.Sprintf("sources[%d]", i)
		if s.Name != "" {
			at += " " + s.Name
		}
		bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(at+": "+format, args...)) }
		if !namePattern.MatchString(s.Name) {
			bad("name %q: want 1 to 40 letters, digits, - or _", s.Name)
		} else if names[s.Name] {
			bad("name %q is used twice", s.Name)
		}
		names[s.Name] = true
		if s.Stdin {
			stdin++
		}
		s.checkKind(bad)
		s.complete(bad)
	}
	if stdin > 1 {
		wrong = append(wrong, errors.New("sources: stdin can be read by one of them only"))
	}
	return wrong
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

type complaint func(format string, args ...any)

// checkKind wants exactly one of files, stdin, slowlog and rest.
func (s *Source) checkKind(bad complaint) {
	kinds := 0
	for _, is := range []bool{len(s.Files) > 0, s.Stdin, s.Slowlog != nil, s.REST != nil} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		bad("want one of files, stdin, slowlog and rest, found %d", kinds)
	}
	for _, p := range s.Files {
		if _, err := filepath.Match(p, ""); err != nil || !filepath.IsAbs(p) {
			bad("files %q: want a pattern of absolute paths, such as /logs/*.log", p)
		}
	}
	if s.Slowlog != nil {
		s.Slowlog.check(bad)
	}
	if s.REST != nil {
		s.REST.check(bad)
	}
}

func (s *Slowlog) check(bad complaint) {
	if _, _, err := net.SplitHostPort(s.Address); err != nil {
		bad("slowlog.address %q: want host:port", s.Address)
	}
	if s.User != "" && s.PasswordFile == "" {
		bad("slowlog.user has no meaning without password_file")
	}
	if s.Every == 0 {
		s.Every = Duration(10 * time.Second)
	}
}

func (r *REST) check(bad complaint) {
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		bad("rest.url: want an http or https URL, without a password in it")
	}
	if r.Severity != "" {
		if _, known := record.ParseLevel([]byte(r.Severity)); !known {
			bad("rest.severity %q: want the name of a level, such as ERROR", r.Severity)
		}
	}
	if r.Every == 0 {
		r.Every = Duration(30 * time.Second)
	}
}

// complete puts in defaults and checks how lines are read.
func (s *Source) complete(bad complaint) {
	if s.Format == "" {
		s.Format = format.Auto
	}
	var known bool
	if s.Formats, known = format.ByName(s.Format); !known {
		bad("format %q: want one of %s", s.Format, strings.Join(format.Names(), ", "))
	}
	switch assemble.Mode(s.Lines) {
	case "":
		s.Lines = string(assemble.Traces)
	case assemble.Traces, assemble.Off:
	case assemble.Headers:
		if s.Format == format.Plain {
			bad("multiline header has no meaning for plain, where every line is a message")
		}
	default:
		bad("multiline %q: want trace, header or off", s.Lines)
	}
	switch s.Start {
	case "":
		s.Start = "beginning"
	case "beginning", "end":
	default:
		bad("start %q: want beginning or end", s.Start)
	}
	var err error
	if s.Location, err = time.LoadLocation(s.Timezone); err != nil {
		bad("timezone %q: want a name of the IANA database, such as Europe/Berlin", s.Timezone)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Resource)) {
		if key == "" || len(key) > 128 || len(s.Resource[key]) > 1024 {
			bad("resource %q: want a name of up to 128 bytes and a value of up to 1024", key)
		}
	}
}

// Kind says what the source is.
func (s *Source) Kind() string {
	switch {
	case s.Stdin:
		return "stdin"
	case s.Slowlog != nil:
		return "slowlog"
	case s.REST != nil:
		return "rest"
	}
	return "files"
}

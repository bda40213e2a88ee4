package format

import (
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Env is what lines are read with. It belongs to one goroutine.
type Env struct {
	Now time.Time // for times that lack their year or day
	// Alias says which keys of JSON mean what conventional ones do: errorTime → time.
	Alias map[string]string

	zone    zone
	members []rawjson.Member
}

// NewEnv returns an Env for lines whose times, where they name no zone, are of
// the location.
func NewEnv(location *time.Location) *Env {
	return &Env{zone: zone{location: location}, members: make([]rawjson.Member, 0, record.MaxAttrs)}
}

// Func reads a line.
type Func func(e *Env, line []byte, r *record.Record) bool

// Format is one of the known formats.
type Format struct {
	Name string
	Read Func
	// Application tells that it is written by log libraries of applications, whose
	// records go on over several lines.
	Application bool
}

// The names of formats besides those of the table.
const (
	Auto  = "auto"  // each line by the first format that knows it
	Plain = "plain" // a line is a message
)

// Detected are the formats that detection tries, in this order. The first ones
// begin unmistakably, the last ones are told by their whole shape.
func Detected() []Format {
	return []Format{
		{Name: "json", Read: JSON},
		{Name: "glog", Read: Glog, Application: true},
		{Name: "syslog", Read: Syslog},
		{Name: "log4j", Read: Log4j, Application: true},
		{Name: "jul", Read: JUL, Application: true},
		{Name: "access", Read: Access},
		{Name: "python", Read: Python, Application: true},
		{Name: "logfmt", Read: Logfmt},
	}
}

// ByName returns the formats that a source's lines may have: one, or with Auto
// all. It is false for an unknown name.
func ByName(name string) ([]Format, bool) {
	all := Detected()
	switch name {
	case Auto:
		return all, true
	case Plain:
		return []Format{{Name: Plain, Read: readPlain, Application: true}}, true
	}
	for _, f := range all {
		if f.Name == name {
			return []Format{f}, true
		}
	}
	return nil, false
}

// Names lists all names that ByName knows.
func Names() []string {
	names := []string{Auto}
	for _, f := range Detected() {
		names = append(names, f.Name)
	}
	return append(names, Plain)
}

func readPlain(_ *Env, line []byte, r *record.Record) bool {
	r.Body = record.Text(line)
	return true
}

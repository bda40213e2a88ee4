// Package config reads a program's configuration from environment variables
// into a struct, and describes the struct to people and to programs.
//
// A field names its variable, its default and its meaning:
//
//	type Config struct {
//		Upstream string        `env:"CACHE_UPSTREAM,required" doc:"where misses go"`
//		Memory   config.Size   `env:"CACHE_MEMORY" envDefault:"64MiB" doc:"limit of the stored bytes"`
//		Grace    time.Duration `env:"CACHE_GRACE" envDefault:"10s" doc:"how long a stale answer may be used"`
//		Token    string        `env:"CACHE_TOKEN_FILE" doc:"file with the token" `
//	}
//
// All wrong values are named in one error. A variable that has the program's
// prefix but is not one of its parameters is an error too, and so is an almost
// right name of the process contract (LISTEN_ADRR): a misspelt name must not
// silently mean the default. The shapes that Kubernetes injects for Services
// are let through. A program adds what a type cannot express to an Error.
package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Spec says whose configuration is read.
type Spec struct {
	Program  string            // as in "dictionary"
	Prefix   string            // of the program's own variables, as in "DICTIONARY_"
	Defaults map[string]string // defaults that depend on the program, by variable
	Renamed  map[string]string // old name → new name: still read, with a warning
	Families map[string]string // prefixes of variables whose rest the user chooses, with their meaning
}

// A Problem is one thing that is wrong with the environment.
type Problem struct{ Variable, Message string }

// Error lists all problems, one a line.
type Error []Problem

func (e Error) Error() string {
	lines := make([]string, 0, len(e)+1)
	lines = append(lines, "configuration:")
	for _, p := range e {
		lines = append(lines, fmt.Sprintf("  %s: %s", p.Variable, p.Message))
	}
	return strings.Join(lines, "\n")
}

// Add says one thing more that is wrong.
func (e *Error) Add(variable, format string, args ...any) {
	*e = append(*e, Problem{variable, fmt.Sprintf(format, args...)})
}

// Want says what is wanted of a variable, unless it is so.
func (e *Error) Want(ok bool, variable, format string, args ...any) {
	if !ok {
		e.Add(variable, format, args...)
	}
}

// Invalid says that a value is not valid, if it is not, and which one is.
func (e *Error) Invalid(is bool, variable string, value any, want string) {
	e.Want(!is, variable, "%v is not valid: want %s", value, want)
}

// Err returns the problems by variable, or nil where there are none.
func (e Error) Err() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b Problem) int { return strings.Compare(a.Variable, b.Variable) })
	return e
}

// Parse reads a C from the environment. The error, if any, is an Error. The
// warnings name old variables that were used.
func Parse[C any](spec Spec, environ map[string]string) (cfg C, warnings []string, err error) {
	params, err := Describe[C](spec)
	if err != nil {
		return cfg, nil, err
	}
	environ, warnings, problems := rename(spec, params, environ)
	values := map[string]string{}
	for name, value := range spec.Defaults {
		values[name] = value
	}
	for name, value := range environ {
		values[name] = value
	}
	problems = append(problems, parse(&cfg, params, values)...)
	problems = append(problems, unknown(spec, params, environ)...)
	return cfg, warnings, Error(problems).Err()
}

// rename moves values of old names to their new ones. A new name that has its
// default is as good as not set: images set their defaults, and who still uses
// the old name must not be refused because of that.
func rename(spec Spec, params []Param, environ map[string]string) (map[string]string, []string, []Problem) {
	defaults := map[string]string{}
	for _, p := range params {
		defaults[p.Name] = p.Default
	}
	var warnings []string
	var problems []Problem
	renamed := make(map[string]string, len(environ))
	for name, value := range environ {
		renamed[name] = value
	}
	for old, name := range spec.Renamed {
		value, used := environ[old]
		if !used {
			continue
		}
		delete(renamed, old)
		if current, both := environ[name]; both && current != defaults[name] {
			problems = append(problems, Problem{old, "is the old name of " + name + ", which is set too; unset it"})
			continue
		}
		renamed[name] = value
		warnings = append(warnings, fmt.Sprintf("%s is now called %s", old, name))
	}
	slices.Sort(warnings)
	return renamed, warnings, problems
}

func parse(cfg any, params []Param, values map[string]string) []Problem {
	err := env.ParseWithOptions(cfg, env.Options{
		Environment: values,
		FuncMap: map[reflect.Type]env.ParserFunc{
			reflect.TypeFor[time.Duration](): func(v string) (any, error) { return duration(v) },
		},
	})
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []Problem{{"environment", err.Error()}}
	}
	problems := make([]Problem, 0, len(all.Errors))
	for _, one := range all.Errors {
		problems = append(problems, problem(one, params, values))
	}
	return problems
}

// problem puts one error of the env package into our words.
func problem(err error, params []Param, values map[string]string) Problem {
	var wrong env.ParseError
	var missing env.VarIsNotSetError
	var empty env.EmptyVarError
	switch {
	case errors.As(err, &wrong):
		return invalid(wrong, params, values)
	case errors.As(err, &missing):
		return Problem{missing.Key, "is required"}
	case errors.As(err, &empty):
		return Problem{empty.Key, "must not be empty"}
	}
	return Problem{"environment", err.Error()}
}

// wanted says what a value of a basic type must look like; types of our own say
// it themselves.
var wanted = map[string]string{
	"integer": "want an integer, such as 3",
	"number":  "want a number, such as 0.5",
	"boolean": "want true or false",
}

func invalid(wrong env.ParseError, params []Param, values map[string]string) Problem {
	for _, p := range params {
		if p.goName != wrong.Name {
			continue
		}
		message := wanted[p.Type]
		if message == "" {
			message = wrong.Err.Error()
		}
		shown := fmt.Sprintf("%q", values[p.Name])
		if p.Secret {
			shown = "the value"
		}
		return Problem{p.Name, fmt.Sprintf("%s is not valid: %s", shown, message)}
	}
	return Problem{wrong.Name, wrong.Err.Error()}
}

func duration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return 0, errors.New("want a duration with its unit, such as 250ms or 10s")
	}
	return d, nil
}

// injected is what Kubernetes sets for each Service of a namespace.
var injected = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_.*)?$|_PORT$|_PORT_[0-9]+_(TCP|UDP)(_.*)?$`)

// unknown finds variables that nobody reads though they look like ours.
func unknown(spec Spec, params []Param, environ map[string]string) []Problem {
	known := map[string]bool{}
	for _, p := range params {
		known[p.Name] = true
	}
	var problems []Problem
	for name := range environ {
		if known[name] || spec.family(name) {
			continue
		}
		if spec.Prefix != "" && strings.HasPrefix(name, spec.Prefix) && !injected.MatchString(name) {
			problems = append(problems, Problem{name, "is no parameter of " + spec.Program + didYouMean(name, params) + "; --help lists them"})
			continue
		}
		if near := nearest(name, params, 1); near != "" && !strings.HasPrefix(near, spec.Prefix) {
			problems = append(problems, Problem{name, "is no parameter; did you mean " + near + "?"})
		}
	}
	return problems
}

// family tells whether a variable belongs to one of the families.
func (s Spec) family(name string) bool {
	for prefix := range s.Families {
		if strings.HasPrefix(name, prefix) && name != prefix {
			return true
		}
	}
	return false
}

func didYouMean(name string, params []Param) string {
	if near := nearest(name, params, 3); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

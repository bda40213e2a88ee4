package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/yamlfile"
	"github.com/flotilla-dev/flotilla/services/cache/limit"
)

// MaxRoutes bounds a file: routes are looked through one by one and each is a label value in metrics.
const MaxRoutes = 100

// file is the YAML document.
type file struct {
	Defaults settings `yaml:"defaults"`
	Routes   []route  `yaml:"routes"`
	// Limits are the rates that clients may have, by prefix of their own.
	Limits limit.Limits `yaml:"limits"`
}

// route is one entry of the file.
type route struct {
	Name     string `yaml:"name"`
	Prefix   string `yaml:"prefix"`
	settings `yaml:",inline"`
}

// settings are pointers, so that "not said" differs from zero.
type settings struct {
	Pass         *bool     `yaml:"pass"`
	TTL          *duration `yaml:"ttl"`
	NegativeTTL  *duration `yaml:"negative_ttl"`
	Grace        *duration `yaml:"grace"`
	ErrorGrace   *duration `yaml:"error_grace"`
	HeuristicMax *duration `yaml:"heuristic_max"`
	HitForMiss   *duration `yaml:"hit_for_miss"`
	MaxObject    *size     `yaml:"max_object"`
	Session      *string   `yaml:"session"`
	StripCookies *bool     `yaml:"strip_cookies"`
	IgnoreClient *bool     `yaml:"ignore_client_cache_control"`
	Accept       []string  `yaml:"accept"`
	Key          *keyParts `yaml:"key"`
}

// keyParts are what belongs to the key of a stored response besides host, path and query.
type keyParts struct {
	IgnoreQuery bool     `yaml:"ignore_query"`
	Query       []string `yaml:"query"`
	Headers     []string `yaml:"headers"`
	Cookies     []string `yaml:"cookies"`
}

// duration is a time with its unit: 10s, 5m, 250ms; 0 needs none.
type duration time.Duration

// UnmarshalYAML parses and refuses what is negative or has no unit.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return yamlfile.Mistake(n, "a duration with its unit, such as 10s")
	}
	*d = duration(v)
	return nil
}

// size is a number of bytes with its unit: 512KiB, 8MiB.
type size int64

// UnmarshalYAML parses a size.
func (s *size) UnmarshalYAML(n *yaml.Node) error {
	var v config.Size
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		return yamlfile.Mistake(n, "a size with its unit, such as 8MiB")
	}
	*s = size(v)
	return nil
}

// Parse reads and validates a policy file. The error names every mistake.
func Parse(content []byte) (*Policy, error) {
	var f file
	wrong, err := yamlfile.Decode(content, &f)
	if err != nil {
		return nil, fmt.Errorf("parse policy: %w", err)
	}
	wrong = append(wrong, f.validate()...)
	if len(wrong) > 0 {
		return nil, fmt.Errorf("policy: %w", errors.Join(wrong...))
	}
	return compile(f), nil
}

func (f *file) validate() []error {
	wrong := append(f.Defaults.validate("defaults"), f.Limits.Validate("limits")...)
	if len(f.Routes) > MaxRoutes {
		return append(wrong, fmt.Errorf("routes: %d of them, at most %d", len(f.Routes), MaxRoutes))
	}
	names, prefixes := map[string]bool{}, map[string]bool{}
	for i, r := range f.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		if r.Name != "" {
			at += " " + r.Name
		}
		switch {
		case !token(r.Name) || len(r.Name) > 40:
			wrong = append(wrong, fmt.Errorf("%s: name %q: want 1 to 40 letters, digits, - or _", at, r.Name))
		case names[r.Name]:
			wrong = append(wrong, fmt.Errorf("%s: name %q is used twice", at, r.Name))
		}
		switch {
		case !strings.HasPrefix(r.Prefix, "/") || strings.ContainsAny(r.Prefix, "?# \t\r\n"):
			wrong = append(wrong, fmt.Errorf("%s: prefix %q: want a path that begins with /", at, r.Prefix))
		case prefixes[r.Prefix]:
			wrong = append(wrong, fmt.Errorf("%s: prefix %q is used twice", at, r.Prefix))
		}
		names[r.Name], prefixes[r.Prefix] = true, true
		wrong = append(wrong, r.settings.validate(at)...)
	}
	return wrong
}

func (s *settings) validate(at string) []error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(at+": "+format, args...)) }
	pass := s.Pass != nil && *s.Pass
	if pass && (s.TTL != nil || s.NegativeTTL != nil || s.Grace != nil || s.ErrorGrace != nil || s.Key != nil) {
		bad("pass stores nothing: ttl, negative_ttl, grace, error_grace and key have no meaning beside it")
	}
	if s.Session != nil {
		if !token(*s.Session) {
			bad("session %q: want the name of a cookie", *s.Session)
		}
		if !pass {
			bad("session needs pass: true, since what a session sees is not shared")
		}
	}
	for _, offer := range s.Accept {
		if kind, sub, ok := strings.Cut(offer, "/"); !ok || !token(kind) || !token(sub) {
			bad("accept %q: want a media type such as text/html", offer)
		}
	}
	if s.Key == nil {
		return wrong
	}
	if s.Key.IgnoreQuery && len(s.Key.Query) > 0 {
		bad("key: ignore_query and query exclude each other")
	}
	for _, list := range [][]string{s.Key.Headers, s.Key.Cookies} {
		for _, name := range list {
			if !token(name) {
				bad("key: %q is not the name of a header or cookie", name)
			}
		}
	}
	for _, name := range s.Key.Query {
		if name == "" || strings.ContainsAny(name, "&=#% ") {
			bad("key: %q is not the name of a query parameter", name)
		}
	}
	return wrong
}

// token is an RFC 9110 token.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Bounds of a list of rules.
const (
	MaxRules = 100
	MaxDelay = 10 * time.Minute
	maxBody  = 64 << 10
)

// The kinds of fault.
const (
	Latency   = "latency"
	Status    = "status"
	Abort     = "abort"
	BlackHole = "blackhole"
	Pause     = "pause"
)

var kinds = []string{Latency, Status, Abort, BlackHole, Pause}

// A Rule injects one fault into some requests. The package comment tells what
// the fields mean; Parse checks them.
type Rule struct {
	Path        string   `json:"path,omitempty"`
	Method      string   `json:"method,omitempty"`
	Probability *float64 `json:"probability,omitempty"`
	Fault       string   `json:"fault"`
	Delay       Duration `json:"delay,omitzero"`
	Jitter      Duration `json:"jitter,omitzero"`
	Status      int      `json:"status,omitempty"`
}

// A Duration is a time.Duration that JSON writes with its unit.
type Duration time.Duration

// MarshalText and UnmarshalText give it the form of time.ParseDuration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration with its unit, such as 100ms", text)
	}
	*d = Duration(parsed)
	return nil
}

// Errors are all mistakes of a list of rules.
type Errors []string

func (e Errors) Error() string { return strings.Join(e, "; ") }

// Parse reads a JSON list of rules. The error, if any, is an Errors.
func Parse(content []byte) ([]Rule, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	var raw []json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, Errors{"want a JSON list of rules: " + err.Error()}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, Errors{"want one JSON list of rules and nothing after it"}
	}
	if len(raw) > MaxRules {
		return nil, Errors{fmt.Sprintf("%d rules, at most %d are possible", len(raw), MaxRules)}
	}
	rules := make([]Rule, len(raw))
	var wrong Errors
	for i, one := range raw {
		for _, mistake := range rules[i].parse(one) {
			wrong = append(wrong, fmt.Sprintf("rule %d: %s", i+1, mistake))
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return rules, nil
}

// parse returns the mistakes of a rule.
func (r *Rule) parse(content []byte) []string {
	if !bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return []string{"is no object"} // null would pass for an empty one
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return []string{strings.TrimPrefix(err.Error(), "json: ")}
	}
	return r.check()
}

func (r *Rule) check() []string {
	var wrong []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	must(slices.Contains(kinds, r.Fault), "fault %q is none of %s", r.Fault, strings.Join(kinds, ", "))
	must(r.Path == "" || r.Path[0] == '/', "path %q does not begin with /", r.Path)
	must(r.Method == strings.ToUpper(r.Method), "method %q is not in capitals", r.Method)
	must(r.Probability == nil || *r.Probability >= 0 && *r.Probability <= 1, "probability is not from 0 to 1")
	if r.Fault == Latency {
		must(r.Delay > 0 && time.Duration(r.Delay) <= MaxDelay, "delay %s is not above 0s and at most %s", time.Duration(r.Delay), MaxDelay)
		must(r.Jitter >= 0 && r.Jitter <= r.Delay, "jitter %s is not from 0s to the delay", time.Duration(r.Jitter))
	} else {
		must(r.Delay == 0 && r.Jitter == 0, "delay and jitter belong to latency")
	}
	if r.Fault == Status {
		must(r.Status >= 400 && r.Status <= 599, "status %d is not from 400 to 599", r.Status)
	} else {
		must(r.Status == 0, "status belongs to fault status")
	}
	return wrong
}

// matches tells whether the rule is about a request.
func (r *Rule) matches(method, path string) bool {
	if r.Method != "" && r.Method != method {
		return false
	}
	if r.Path == "" || r.Path == path {
		return true
	}
	return r.Path[len(r.Path)-1] == '/' && strings.HasPrefix(path, r.Path)
}

// hits draws whether a matching request gets the fault.
func (r *Rule) hits(random func() float64) bool {
	return r.Probability == nil || random() < *r.Probability
}

// delay draws how long a latency lasts.
func (r *Rule) delay(random func() float64) time.Duration {
	if r.Jitter == 0 {
		return time.Duration(r.Delay)
	}
	return time.Duration(float64(r.Delay) + (2*random()-1)*float64(r.Jitter))
}

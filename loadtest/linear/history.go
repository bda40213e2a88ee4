package linear

import (
	"errors"
	"fmt"
	"slices"
)

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused"
	Unknown Outcome = "unknown"
)

// What operations do.
const (
	Acquire = "acquire"
	Release = "release"
	Hold    = "hold"
	Expire  = "expire"
	Write   = "write"
	Append  = "append"
	Read    = "read"
)

// Operation is one call of a client; the package comment says which fields go with
// which operation.
type Operation struct {
	Client  int      `json:"client"`
	Key     string   `json:"key"`
	Do      string   `json:"do"`
	Grant   string   `json:"grant,omitempty"`
	Token   uint64   `json:"token,omitempty"`
	Entry   string   `json:"entry,omitempty"`
	Version uint64   `json:"version,omitempty"`
	Entries []string `json:"entries,omitempty"`
	Outcome Outcome  `json:"outcome"`
	Call    int64    `json:"call"`
	Return  int64    `json:"return,omitempty"`
}

// History is what happened, in the order of the calls.
type History struct {
	Model      Model
	Operations []Operation
}

// MaxOperations bounds a history: more of them no checker orders in useful time.
const MaxOperations = 200_000

// Keys are the objects of a history, sorted.
func (h History) Keys() []string {
	seen := map[string]bool{}
	var keys []string
	for _, op := range h.Operations {
		if !seen[op.Key] {
			seen[op.Key] = true
			keys = append(keys, op.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Count is how many operations of a kind ended so.
func (h History) Count(do string, outcome Outcome) int {
	n := 0
	for _, op := range h.Operations {
		if op.Do == do && op.Outcome == outcome {
			n++
		}
	}
	return n
}

// validate finds the first operation that the model does not know.
func (h History) validate() error {
	if h.Model.name == "" {
		return errors.New("history: no model")
	}
	if len(h.Operations) > MaxOperations {
		return fmt.Errorf("history: %d operations, want at most %d", len(h.Operations), MaxOperations)
	}
	grants := map[[2]string]bool{}
	last := int64(0)
	for i, op := range h.Operations {
		if err := h.Model.valid(op); err != nil {
			return fmt.Errorf("history: operation %d: %w", i+1, err)
		}
		if op.Call < last {
			return fmt.Errorf("history: operation %d: its call is before that of the operation above", i+1)
		}
		last = op.Call
		if op.Do != Acquire || op.Grant == "" {
			continue
		}
		grant := [2]string{op.Key, op.Grant}
		if grants[grant] {
			return fmt.Errorf("history: operation %d: grant %q of %q is acquired for the second time", i+1, op.Grant, op.Key)
		}
		grants[grant] = true
	}
	return nil
}

// valid checks what all models have in common, then what the model wants.
func (m Model) valid(op Operation) error {
	switch {
	case op.Client < 0:
		return fmt.Errorf("client %d, want 0 or more", op.Client)
	case op.Key == "":
		return errors.New("no key")
	case op.Outcome != OK && op.Outcome != Refused && op.Outcome != Unknown:
		return fmt.Errorf("outcome %q, want ok, refused or unknown", op.Outcome)
	case op.Call < 0:
		return fmt.Errorf("call %d, want 0 or more", op.Call)
	case op.Outcome == Unknown && op.Return != 0:
		return errors.New("an unknown outcome has no return")
	case op.Outcome != Unknown && op.Return <= op.Call:
		return fmt.Errorf("return %d, want more than the call %d", op.Return, op.Call)
	case !slices.Contains(m.does, op.Do):
		return fmt.Errorf("do %q, want one of %v", op.Do, m.does)
	}
	return m.wants(op)
}

// only refuses fields that do not belong to the operation. A field stands there as its
// name and whether it may be there.
func only(op Operation, grant, token, entry, version, entries bool) error {
	for _, f := range []struct {
		name         string
		set, allowed bool
	}{
		{"grant", op.Grant != "", grant}, {"token", op.Token != 0, token}, {"entry", op.Entry != "", entry},
		{"version", op.Version != 0, version}, {"entries", op.Entries != nil, entries},
	} {
		if f.set && !f.allowed {
			return fmt.Errorf("%s, %s: has no %s", op.Do, op.Outcome, f.name)
		}
	}
	return nil
}

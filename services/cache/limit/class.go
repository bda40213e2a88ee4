package limit

import (
	"fmt"
	"math"
	"strings"
)

// MaxClasses bounds a policy: classes are looked through one by one, and each is a label value in metrics.
const MaxClasses = 100

// The bounds of one limit.
const (
	maxRate  = 1e6
	maxBurst = 10_000_000
	// minBurst is a limit's smallest burst as seconds of its rate: a bucket that overflows between two
	// visits of a replica could not be shared without losing tokens.
	minBurst = 0.05
)

// Limits is the part of a policy file below the key limits.
//
//	limits:
//	  - name: words
//	    prefix: /
//	    anonymous: {rate: 50, burst: 100}
//	    login: {rate: 200, burst: 400}
//
// The longest prefix wins, and covers whole path segments. A path that no class covers is not limited, nor
// is a kind of identity that its class does not mention.
type Limits []Class

// Class is what applies to the paths of one prefix.
type Class struct {
	Name      string `yaml:"name"`
	Prefix    string `yaml:"prefix"`
	Anonymous *Rate  `yaml:"anonymous"`
	Login     *Rate  `yaml:"login"`
}

// Rate allows one identity Burst + Rate × time requests.
type Rate struct {
	Rate  float64 `yaml:"rate"`  // requests per second
	Burst int     `yaml:"burst"` // requests at once
}

// Validate names every mistake; at is where the list stands in its file.
func (l Limits) Validate(at string) []error {
	if len(l) > MaxClasses {
		return []error{fmt.Errorf("%s: %d classes, at most %d", at, len(l), MaxClasses)}
	}
	var wrong []error
	names, prefixes := map[string]bool{}, map[string]bool{}
	for i, c := range l {
		here := fmt.Sprintf("%s[%d]", at, i)
		if c.Name != "" {
			here += " " + c.Name
		}
		switch {
		case !label(c.Name):
			wrong = append(wrong, fmt.Errorf("%s: name %q: want 1 to 40 letters, digits, - or _", here, c.Name))
		case names[c.Name]:
			wrong = append(wrong, fmt.Errorf("%s: name %q is used twice", here, c.Name))
		}
		switch {
		case !strings.HasPrefix(c.Prefix, "/") || strings.ContainsAny(c.Prefix, "?# \t\r\n"):
			wrong = append(wrong, fmt.Errorf("%s: prefix %q: want a path that begins with /", here, c.Prefix))
		case prefixes[c.Prefix]:
			wrong = append(wrong, fmt.Errorf("%s: prefix %q is used twice", here, c.Prefix))
		}
		names[c.Name], prefixes[c.Prefix] = true, true
		wrong = append(wrong, c.Anonymous.validate(here+": anonymous")...)
		wrong = append(wrong, c.Login.validate(here+": login")...)
	}
	return wrong
}

func (r *Rate) validate(at string) []error {
	if r == nil {
		return nil
	}
	var wrong []error
	rateOK := r.Rate > 0 && r.Rate <= maxRate && !math.IsNaN(r.Rate)
	if !rateOK {
		wrong = append(wrong, fmt.Errorf("%s: rate %v: want requests per second, more than 0 and at most %d", at, r.Rate, int(maxRate)))
	}
	if r.Burst < 1 || r.Burst > maxBurst {
		wrong = append(wrong, fmt.Errorf("%s: burst %d: want 1 to %d requests", at, r.Burst, maxBurst))
	} else if rateOK && float64(r.Burst) < r.Rate*minBurst {
		wrong = append(wrong, fmt.Errorf("%s: burst %d: want at least a twentieth of the rate %v", at, r.Burst, r.Rate))
	}
	return wrong
}

// label tells whether a name may be a label value, part of a Redis key and a structured-field string.
func label(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

package configapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// segment is a part of a name between slashes. It does not begin with a dot, so
// that no name can mean a hidden file or a folder above.
var segment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// reserved are what follows a name in the paths of the API. They are no part of
// one, so that every path has one meaning.
var reserved = []string{"versions", "diff", "rollback"}

const (
	maxName  = 200 // bytes
	maxParts = 8
)

// checkName says what is wrong with a name.
func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("a name has at most %d bytes", maxName)
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxParts {
		return fmt.Errorf("a name has at most %d parts", maxParts)
	}
	for _, part := range parts {
		if !segment.MatchString(part) {
			return fmt.Errorf("%q can be no part of a name: want letters, digits, _, - and dots that are not the first", part)
		}
		if slices.Contains(reserved, part) {
			return fmt.Errorf("%q can be no part of a name: it is a word of the API", part)
		}
	}
	return nil
}

// A target is what a path below /v1/configs/ means.
type target struct {
	name   string
	action string // "", or a reserved word
	rest   string // what follows it
}

// parseTarget splits "legacy/page.ini/versions/3" into its name, its action and
// the rest.
func parseTarget(path string) (target, error) {
	t := target{name: path}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if i > 0 && slices.Contains(reserved, part) {
			t = target{name: strings.Join(parts[:i], "/"), action: part, rest: strings.Join(parts[i+1:], "/")}
			break
		}
	}
	return t, checkName(t.name)
}

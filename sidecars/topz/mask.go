package topz

import (
	"regexp"
	"slices"
	"strings"
)

var (
	secret = regexp.MustCompile(`(?i)pass|secret|token|credential|api-?_?key|private-?_?key`)
	login  = regexp.MustCompile(`(://[^/@:\s]*:)[^@/\s]+@`) // of a URL: user:password@
)

// hidden stands for a value that looked like a secret.
const hidden = "***"

// masked hides what looks like a secret in a command line: the value of an
// argument or variable whose name says so, and the password of a URL. It is a
// courtesy to those who pass secrets this way all the same, and no protection:
// whoever can read the process table reads them there.
func masked(words []string) []string {
	words = slices.Clone(words)
	for i, word := range words {
		name, _, assigned := strings.Cut(word, "=")
		switch {
		case assigned && secret.MatchString(name):
			words[i] = name + "=" + hidden
		case i > 0 && strings.HasPrefix(words[i-1], "-") && !strings.Contains(words[i-1], "=") && secret.MatchString(words[i-1]) && !strings.HasPrefix(word, "-"):
			words[i] = hidden
		default:
			words[i] = login.ReplaceAllString(word, "${1}"+hidden+"@")
		}
	}
	return words
}

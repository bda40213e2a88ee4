package docstest

import (
	"fmt"
	"regexp"
	"strings"
)

// Step is a command of a page and what it is said to print.
type Step struct {
	Line    int // in the page
	Command string
	Want    []string
}

// Parse finds the steps of all console blocks of a page.
func Parse(page string) ([]Step, error) {
	var steps []Step
	inside, continued := false, false
	opened := 0
	for i, line := range strings.Split(page, "\n") {
		switch {
		case !inside:
			if strings.TrimSpace(line) == "```console" {
				inside, opened = true, i+1
			}
		case strings.TrimSpace(line) == "```":
			if continued {
				return nil, fmt.Errorf("line %d: the block ends in the middle of a command", i+1)
			}
			inside = false
		case continued:
			steps[len(steps)-1].Command += "\n" + line
			continued = strings.HasSuffix(line, "\\")
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, Step{Line: i + 1, Command: strings.TrimPrefix(line, "$ ")})
			continued = strings.HasSuffix(line, "\\")
		case len(steps) == 0 || steps[len(steps)-1].Line < opened:
			return nil, fmt.Errorf("line %d: output without a command", i+1)
		default:
			last := &steps[len(steps)-1]
			last.Want = append(last.Want, line)
		}
	}
	if inside {
		return nil, fmt.Errorf("line %d: the block is not closed", opened)
	}
	return steps, nil
}

// Check finds the first line of what is wanted that the output does not have in its
// order, and returns "" when there is none.
func Check(want []string, output string) string {
	lines := strings.Split(output, "\n")
	at := 0
	for _, w := range want {
		pattern := pattern(w)
		for at < len(lines) && !pattern.MatchString(lines[at]) {
			at++
		}
		if at == len(lines) {
			return w
		}
		at++
	}
	return ""
}

// pattern matches a line as the page shows it. Space at the end counts for nothing, and
// any space between words for one.
func pattern(want string) *regexp.Regexp {
	parts := strings.Split(strings.TrimSpace(want), "…")
	for i, part := range parts {
		words := strings.Fields(part)
		for j, word := range words {
			words[j] = regexp.QuoteMeta(word)
		}
		joined := strings.Join(words, `\s+`)
		if strings.HasPrefix(part, " ") && i > 0 {
			joined = `\s*` + joined
		}
		if strings.HasSuffix(part, " ") && i < len(parts)-1 {
			joined += `\s*`
		}
		parts[i] = joined
	}
	return regexp.MustCompile(`^\s*` + strings.Join(parts, `.*`) + `\s*$`)
}

package wiring

import (
	"fmt"
	"regexp"
	"strings"
)

// A Stage is one FROM of a Dockerfile with its instructions.
type Stage struct {
	Name, From string
	Body       []string // instructions as they are written, continued lines joined
}

var from = regexp.MustCompile(`(?i)^FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?$`)

// Stages reads the stages of a Dockerfile: as much of its grammar as ours uses.
func Stages(text string) ([]Stage, error) {
	var stages []Stage
	for _, line := range instructions(text) {
		if m := from.FindStringSubmatch(line); m != nil {
			stages = append(stages, Stage{Name: m[2], From: m[1]})
			continue
		}
		if len(stages) == 0 {
			if !strings.HasPrefix(line, "ARG ") {
				return nil, fmt.Errorf("dockerfile: %q stands before the first FROM", line)
			}
			continue
		}
		last := &stages[len(stages)-1]
		last.Body = append(last.Body, line)
	}
	return stages, nil
}

// instructions joins continued lines and drops comments, those between
// continued lines too.
func instructions(text string) []string {
	var all []string
	var open strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if rest, continued := strings.CutSuffix(trimmed, `\`); continued {
			open.WriteString(rest)
			continue
		}
		open.WriteString(trimmed)
		all = append(all, open.String())
		open.Reset()
	}
	return all
}

// lineage returns the bodies of a stage and of all stages it is built on,
// the oldest first, and the image at the root of them.
func lineage(stages []Stage, name string) (body []string, base string, found bool) {
	for _, s := range stages {
		if s.Name != name {
			continue
		}
		earlier, base, more := lineage(stages, s.From)
		if !more {
			base = s.From
		}
		return append(earlier, s.Body...), base, true
	}
	return nil, "", false
}

var pair = regexp.MustCompile(`([A-Za-z0-9_.-]+)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(\S*))`)

// pairs reads the variables of all ENV (or the labels of all LABEL)
// instructions; a later one replaces an earlier one.
func pairs(body []string, instruction string) map[string]string {
	all := map[string]string{}
	for _, line := range body {
		rest, ok := strings.CutPrefix(line, instruction+" ")
		if !ok {
			continue
		}
		for _, m := range pair.FindAllStringSubmatch(rest, -1) {
			all[m[1]] = m[2] + unescape(m[3]) + m[4]
		}
	}
	return all
}

func unescape(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`).Replace(s)
}

// last returns the operand of the last such instruction.
func last(body []string, instruction string) string {
	operand := ""
	for _, line := range body {
		if rest, ok := strings.CutPrefix(line, instruction+" "); ok {
			operand = strings.TrimSpace(rest)
		}
	}
	return operand
}

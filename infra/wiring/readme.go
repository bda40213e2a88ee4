package wiring

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// CheckReadme compares the table of parameters in a module's README with its
// program: names that the program knows, its defaults, and every parameter of
// the program's own.
func CheckReadme(text string, program Program) []Finding {
	f := &findings{wiring: program.Dir + "/README.md", process: program.Program}
	_, section, found := strings.Cut(text, "\n## Parameters and metrics\n")
	if !found {
		f.add("a section Parameters and metrics", "its parameters are not told")
		return f.all
	}
	section, _, _ = strings.Cut(section, "\n## ")
	section = ownPart(section, program.Program)
	told := map[string]bool{}
	for line := range strings.SplitSeq(section, "\n") {
		for _, row := range parameterRow(line) {
			told[row.name] = true
			row.check(program, f)
		}
	}
	for _, p := range program.Params {
		if strings.HasPrefix(p.Name, program.Prefix) && !told[p.Name] && !groupTold(told, p.Name) {
			f.add("a row: "+p.Doc, "%s is not in the table of parameters", p.Name)
		}
	}
	return f.all
}

// ownPart is what a section tells of the program: in a module with several, what
// stands under a heading of its name; else what stands before such headings.
func ownPart(section, program string) string {
	first, rest, _ := strings.Cut(section, "\n### ")
	for part := range strings.SplitSeq(rest, "\n### ") {
		if name, body, _ := strings.Cut(part, "\n"); strings.TrimSpace(name) == program {
			return body
		}
	}
	return first
}

// groupTold: a row may tell of several parameters as `CACHE_EJECT_*`.
func groupTold(told map[string]bool, name string) bool {
	for group := range told {
		if prefix, ok := cutStar(group); ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// row is what a table says of one parameter.
type row struct {
	name, fallback string
	told           bool // of a default
}

var (
	code      = regexp.MustCompile("`([^`]*)`")
	upperCase = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+(_?\*)?$`)
)

// parameterRow reads | `A`, `B` | `default of A`, `default of B` | … |. A default
// in prose is not compared.
func parameterRow(line string) []row {
	cells := strings.Split(line, "|")
	if len(cells) < 4 || cells[0] != "" {
		return nil
	}
	var rows []row
	for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
		if upperCase.MatchString(m[1]) {
			rows = append(rows, row{name: m[1]})
		}
	}
	defaults := code.FindAllStringSubmatch(cells[2], -1)
	prose := strings.Trim(code.ReplaceAllString(cells[2], ""), " ,·")
	for i := range rows {
		if len(defaults) == len(rows) && prose == "" {
			rows[i].fallback, rows[i].told = defaults[i][1], true
		}
	}
	return rows
}

func (r row) check(program Program, f *findings) {
	param, known := program.param(r.name)
	if prefix, group := cutStar(r.name); group {
		known = slices.ContainsFunc(program.Params, func(p config.Param) bool { return strings.HasPrefix(p.Name, prefix) })
	}
	switch {
	case standard(r.name):
	case !known:
		f.add("a variable that "+program.Program+" --help lists"+near(r.name, program), "it tells of %s, which %s does not know", r.name, program.Program)
	case r.told && !equalValues(r.fallback, param.Default):
		f.add("`"+param.Default+"`", "it says that the default of %s is `%s`", r.name, r.fallback)
	}
}

// equalValues: 1m is 60s.
func equalValues(a, b string) bool {
	x, errX := time.ParseDuration(a)
	y, errY := time.ParseDuration(b)
	return a == b || errX == nil && errY == nil && x == y
}

package docstest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Page is what a page shows of a terminal.
type Page struct {
	Steps []Step
	Left  []Left
}

// Step is a command of a page and what it is said to print.
type Step struct {
	Line    int // in the page
	Command string
	Want    []string
}

// Left is a block that says of itself that no test executes it.
type Left struct {
	Line int
	Why  string
}

// notExecuted stands, alone on its line, before a block that is left out.
var notExecuted = regexp.MustCompile(`^\*Not executed by the tests: (.+)\.\*$`)

// shells are what a block of commands might be called so that nobody executes it.
var shells = regexp.MustCompile("^```(sh|bash|shell|shell-session|zsh)\\b")

// Parse finds the console blocks of a page.
func Parse(text string) (Page, error) {
	p := reader{}
	for i, line := range strings.Split(text, "\n") {
		if err := p.read(i+1, line); err != nil {
			return Page{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if p.opened > 0 {
		return Page{}, fmt.Errorf("line %d: the block is not closed", p.opened)
	}
	return p.page, nil
}

// reader is at one line of a page.
type reader struct {
	page   Page
	why    string // the block that may follow is not executed, and why
	opened int    // line of the block that is open; 0: none
	left   bool   // the open block is not executed
	first  int    // steps before the open block

	continued bool   // the command goes on in the next line
	end       string // line that ends the here-document of the command; "": there is none
}

func (p *reader) read(n int, line string) error {
	fence := strings.TrimSpace(line)
	switch {
	case p.opened == 0:
		return p.outside(n, fence)
	case fence == "```" && (p.continued || p.end != ""):
		return fmt.Errorf("the block ends in the middle of a command")
	case fence == "```":
		p.opened, p.left = 0, false
	case p.left:
	case p.continued || p.end != "":
		p.command(line, false)
	case strings.HasPrefix(line, "$ "):
		p.page.Steps = append(p.page.Steps, Step{Line: n})
		p.command(strings.TrimPrefix(line, "$ "), true)
	case len(p.page.Steps) == p.first:
		return fmt.Errorf("output without a command")
	default:
		last := &p.page.Steps[len(p.page.Steps)-1]
		last.Want = append(last.Want, line)
	}
	return nil
}

// outside reads a line of the text between blocks.
func (p *reader) outside(n int, line string) error {
	switch m := notExecuted.FindStringSubmatch(line); {
	case m != nil:
		p.why = m[1]
	case line == "```console":
		p.opened, p.left, p.first = n, p.why != "", len(p.page.Steps)
		if p.left {
			p.page.Left = append(p.page.Left, Left{n, p.why})
		}
		p.why = ""
	case shells.MatchString(line):
		return fmt.Errorf("%s would not be executed: write ```console, with $ before commands", line)
	case line != "" && p.why != "":
		return fmt.Errorf("no console block follows what is not executed")
	}
	return nil
}

var hereDocument = regexp.MustCompile(`<<-?'?([A-Z]+)'?`)

// command adds a line to the last command.
func (p *reader) command(line string, begins bool) {
	last := &p.page.Steps[len(p.page.Steps)-1]
	if !begins {
		last.Command += "\n"
	}
	last.Command += line
	if p.end != "" {
		if strings.TrimSpace(line) == p.end {
			p.end = ""
		}
		return
	}
	p.continued = strings.HasSuffix(line, "\\")
	if m := hereDocument.FindStringSubmatch(line); m != nil {
		p.end = m[1]
	}
}

// anything is a line of a page that stands for any number of lines.
const anything = "…"

// Check compares what a page shows with what was printed, and returns "" when that is the
// same: all that was printed is shown, but what the page leaves out by a line with nothing
// but "…". Empty lines count for nothing, and so does what go says of its downloads.
func Check(want []string, output string) string {
	shown := slices.DeleteFunc(slices.Clone(want), isBlank)
	if len(shown) == 0 {
		return ""
	}
	printed := slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool {
		return isBlank(line) || strings.HasPrefix(line, "go: downloading ")
	})
	at := map[int]bool{0: true} // where the next shown line may be
	for _, line := range shown {
		next := map[int]bool{}
		for i := range at {
			switch {
			case strings.TrimSpace(line) == anything:
				for j := i; j <= len(printed); j++ {
					next[j] = true
				}
			case i < len(printed) && pattern(line).MatchString(printed[i]):
				next[i+1] = true
			}
		}
		if len(next) == 0 {
			return fmt.Sprintf("%q does not come where the page has it", line)
		}
		at = next
	}
	if !at[len(printed)] {
		return fmt.Sprintf("the page does not show %q", printed[slices.Max(slices.Collect(maps.Keys(at)))])
	}
	return ""
}

func isBlank(line string) bool { return strings.TrimSpace(line) == "" }

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

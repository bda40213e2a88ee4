package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// MaxCandidates bounds a list.
const MaxCandidates = 16

// ParseList reads addresses: host:port each, separated by commas or line ends. A
// line may also be one of an endpoint file, "name host:port [admin-address]".
// What follows a # is nothing. The error names everything that is wrong.
func ParseList(text string) ([]Candidate, error) {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); one != "" && len(strings.Fields(one)) == 1 {
				one += " " + one // its address is its name
			}
			lines.WriteString(one + "\n")
		}
	}
	members, err := upstream.ParseFile([]byte(lines.String()))
	if err != nil {
		return nil, fmt.Errorf("%w; write host:port, separated by commas or line ends", err)
	}
	if len(members) > MaxCandidates {
		return nil, fmt.Errorf("%d addresses, at most %d are possible", len(members), MaxCandidates)
	}
	candidates := make([]Candidate, len(members))
	for i, m := range members {
		candidates[i] = Candidate{m.Name, m.Data}
	}
	return candidates, nil
}

var errEmpty = errors.New("it is empty")

// parse is ParseList for the content of a source, where nothing is a decision.
func parse(text string) ([]Candidate, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errEmpty
	}
	return ParseList(text)
}

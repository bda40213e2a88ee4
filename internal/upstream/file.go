package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ParseFile reads an endpoint file: a line "name data-addr admin-addr" for each
// endpoint, where the last may be missing (passive health only). Empty lines
// and what follows a # are nothing. A file without endpoints is an error, as is
// a file of which any line is wrong: half a list would look like a lost half of
// the fleet. The error names every wrong line.
func ParseFile(content []byte) ([]Member, error) {
	var members []Member
	var errs []error
	number := 0
	for line := range bytes.Lines(content) {
		number++
		text, _, _ := strings.Cut(string(line), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		m, err := parseLine(fields)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			if len(errs) == 10 {
				errs = append(errs, errors.New("and maybe more"))
				break
			}
			continue
		}
		members = append(members, m)
	}
	errs = append(errs, distinct(members)...)
	if len(members) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no endpoint in it"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return members, nil
}

func parseLine(fields []string) (Member, error) {
	if len(fields) < 2 || len(fields) > 3 {
		return Member{}, fmt.Errorf("%d fields, want: name data-addr [admin-addr]", len(fields))
	}
	m := Member{Name: fields[0], Data: fields[1]}
	if len(m.Name) > 253 || strings.ContainsFunc(m.Name, func(r rune) bool { return r <= ' ' || r >= 127 }) {
		return Member{}, fmt.Errorf("name %.40q is not at most 253 printable ASCII characters", m.Name)
	}
	if _, err := checkAddr(m.Data); err != nil {
		return Member{}, err
	}
	if len(fields) == 3 {
		m.Admin = fields[2]
		if _, err := checkAddr(m.Admin); err != nil {
			return Member{}, err
		}
	}
	return m, nil
}

package country

import (
	"bytes"
	"context"
	_ "embed" // the bundled table
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// The bounds of a file.
const (
	MaxFile     = 128 << 20 // bytes
	MaxNetworks = 4_000_000
	maxMistakes = 10 // that are named
)

//go:embed documentation.csv
var documentation []byte

// Documentation is the bundled table: the networks of RFC 5737 and RFC 3849, which are set aside for examples,
// given to some countries so that there is something to try.
func Documentation() *Table {
	t, err := ReadCSV(documentation)
	if err != nil {
		panic("bundled table: " + err.Error()) // a test reads it
	}
	return t
}

// Open reads a table: a MaxMind database where the name ends in .mmdb, otherwise CSV.
func Open(path string) (*Table, error) {
	content, err := watch.ReadUpTo(path, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("read countries: %w", err)
	}
	return parse(path, content)
}

func parse(path string, content []byte) (*Table, error) {
	read := ReadCSV
	if strings.EqualFold(filepath.Ext(path), ".mmdb") {
		read = ReadMMDB
	}
	t, err := read(content)
	if err != nil {
		return nil, fmt.Errorf("countries of %s: %w", path, err)
	}
	return t, nil
}

// A File is a table that is followed while others replace its file.
type File struct {
	path string
	seen watch.Sum
}

// OpenFile is Open, and what follows the file.
func OpenFile(path string) (*Table, *File, error) {
	content, err := watch.ReadUpTo(path, MaxFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read countries: %w", err)
	}
	t, err := parse(path, content)
	return t, &File{path, watch.Of(content)}, err
}

// Watch calls changed with the table of each new content until ctx ends, or with what is wrong
// with it: nothing is taken of a file that has a mistake.
func (f *File) Watch(ctx context.Context, changed func(*Table, error)) {
	watch.FileUpTo(ctx, f.path, MaxFile, f.seen, func(content []byte) { changed(parse(f.path, content)) })
}

// ReadCSV reads lines network,country. Every wrong line is named, up to ten of them.
func ReadCSV(content []byte) (*Table, error) {
	var networks []Network
	var mistakes []error
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(networks) == MaxNetworks {
			return nil, fmt.Errorf("line %d: more than %d networks", number, MaxNetworks)
		}
		n, err := parseLine(string(line))
		if err != nil {
			if mistakes = append(mistakes, fmt.Errorf("line %d: %w", number, err)); len(mistakes) == maxMistakes {
				break
			}
			continue
		}
		networks = append(networks, n)
	}
	if mistakes != nil {
		return nil, errors.Join(mistakes...)
	}
	return New(networks)
}

func parseLine(line string) (Network, error) {
	network, code, found := strings.Cut(line, ",")
	if !found {
		return Network{}, fmt.Errorf("%q has no comma: want network,country such as 203.0.113.0/24,DE", short(line))
	}
	prefix, err := netip.ParsePrefix(strings.TrimSpace(network))
	if err != nil {
		return Network{}, fmt.Errorf("%q is no network: want one such as 203.0.113.0/24", short(network))
	}
	if prefix.Addr().Is4In6() {
		return Network{}, fmt.Errorf("%q: write IPv4 networks as IPv4", short(network))
	}
	if prefix != prefix.Masked() {
		return Network{}, fmt.Errorf("%q has bits behind its length: %v is meant, or another length", short(network), prefix.Masked())
	}
	country, err := parseCode(short(strings.TrimSpace(code)))
	return Network{prefix, country}, err
}

// short cuts what is said about a line of any length.
func short(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

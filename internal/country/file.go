package country

import (
	"bytes"
	_ "embed" // the bundled table
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
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
	content, err := read(path, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("read countries: %w", err)
	}
	parse := ReadCSV
	if strings.EqualFold(filepath.Ext(path), ".mmdb") {
		parse = ReadMMDB
	}
	t, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("countries of %s: %w", path, err)
	}
	return t, nil
}

func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return content, err
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

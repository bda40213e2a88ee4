package legacy

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// page is what there is to say.
type page struct{ greeting, motd string }

var builtIn = page{greeting: "Hello from 1998", motd: "nothing new"}

func (p page) text() string { return p.greeting + "\n" + p.motd + "\n" }

// maxPage bounds the configuration file.
const maxPage = 64 << 10

func readPage(name string) (page, error) {
	f, err := os.Open(name)
	if err != nil {
		return page{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err != nil {
		return page{}, err
	}
	if len(text) > maxPage {
		return page{}, fmt.Errorf("%s is larger than %d bytes", name, maxPage)
	}
	return parsePage(text)
}

// parsePage reads lines of the form
//
//	; a comment, as is one after #
//	greeting = Hello
//	motd     = The kettle is on.
//
// What is not set has its built-in value.
func parsePage(text []byte) (page, error) {
	p := builtIn
	known := map[string]*string{"greeting": &p.greeting, "motd": &p.motd}
	seen := map[string]bool{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line := strings.TrimSpace(string(line))
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !found:
			return page{}, fmt.Errorf("line %d: want key = value, not %q", number, line)
		case known[key] == nil:
			return page{}, fmt.Errorf("line %d: unknown key %q, want greeting or motd", number, key)
		case seen[key]:
			return page{}, fmt.Errorf("line %d: %s is set a second time", number, key)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, control):
			return page{}, fmt.Errorf("line %d: the value is no text", number)
		}
		seen[key] = true
		*known[key] = value
	}
	return p, nil
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

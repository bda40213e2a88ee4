package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// colours of names; red is left for errors.
var colours = [...]string{"\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[92m", "\x1b[95m"}

const (
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

// Style says how lines are shown.
type Style struct {
	Colour bool
	Raw    bool // as they were written, without a name in front
	Width  int  // of the longest name
}

// Line is a line of a replica as people see it.
func (s Style) Line(name string, line []byte) string {
	if s.Raw {
		return string(line)
	}
	text := s.readable(bytes.TrimRight(line, "\r\n"))
	return s.paint(colour(name), fmt.Sprintf("%-*s | ", s.Width, name)) + text + "\n"
}

func (s Style) paint(colour, text string) string {
	if !s.Colour {
		return text
	}
	return colour + text + plain
}

// colour is the same for a name in every run.
func colour(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return colours[h.Sum32()%uint32(len(colours))]
}

// readable turns a JSON line of slog into "time LEVEL message name=value …" and
// leaves every other line as it is.
func (s Style) readable(line []byte) string {
	fields, ok := parse(line)
	if !ok {
		return printable(line)
	}
	var clock, level, message string
	var rest strings.Builder
	for _, f := range fields {
		switch f.name {
		case "time":
			clock = f.value
			if at, err := time.Parse(time.RFC3339Nano, f.value); err == nil {
				clock = at.Local().Format("15:04:05.000")
			}
		case "level":
			level = f.value
		case "msg":
			message = f.value
		case "service", "instance", "version": // the name in front says it
		default:
			if !f.nested {
				f.value = quoted(f.value)
			}
			fmt.Fprintf(&rest, " %s=%s", f.name, f.value)
		}
	}
	if level == "ERROR" || level == "WARN" {
		level = s.paint(red, level)
	}
	head := s.paint(faint, clock) + " "
	if level != "" {
		head += level + " "
	}
	return head + message + s.paint(faint, rest.String())
}

// printable takes control characters out: a line could otherwise do anything to
// the terminal that shows it.
func printable(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '�'
		}
		return r
	}, string(line))
}

func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \t\"") {
		return fmt.Sprintf("%q", value)
	}
	return printable([]byte(value))
}

// field is a name and a value: a string, or, when it is nested, JSON.
type field struct {
	name, value string
	nested      bool
}

// parse reads an object, keeping the order of its fields.
func parse(line []byte) ([]field, bool) {
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	var fields []field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		text := string(value)
		nested := text[0] == '{' || text[0] == '['
		if text[0] == '"' {
			if json.Unmarshal(value, &text) != nil {
				return nil, false
			}
		}
		fields = append(fields, field{fmt.Sprint(name), text, nested})
	}
	return fields, true
}

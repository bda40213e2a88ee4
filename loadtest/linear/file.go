package linear

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// header is the first line of a file.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Model   string `json:"model"`
}

const (
	format        = "flotilla-history"
	formatVersion = 1
	// maxLine bounds one operation: a read of some ten thousand entries.
	maxLine = 1 << 20
	// maxFile bounds a file.
	maxFile = 256 << 20
)

// Write writes a history as the package comment says.
func (h History) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(header{format, formatVersion, h.Model.name}); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	for _, op := range h.Operations {
		if err := lines.Encode(op); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// ReadHistory reads what Write has written, and nothing else.
func ReadHistory(r io.Reader) (History, error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxFile+1))
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	var h History
	size, n := 0, 0
	for lines.Scan() {
		n++
		if size += len(lines.Bytes()) + 1; size > maxFile {
			return History{}, fmt.Errorf("history: more than %d MiB", maxFile>>20)
		}
		if err := h.line(n, lines.Bytes()); err != nil {
			return History{}, fmt.Errorf("history, line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return History{}, fmt.Errorf("history, line %d: %w", n+1, err)
	}
	if n == 0 {
		return History{}, errors.New("history: empty, want a header")
	}
	return h, h.validate()
}

// wholeLines refuses a last line that was cut off.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errors.New("it does not end: the file was cut off")
	}
	return 0, nil, nil
}

func (h *History) line(n int, text []byte) error {
	if n == 1 {
		var head header
		if err := strictly(text, &head); err != nil {
			return err
		}
		if head.Format != format || head.Version != formatVersion {
			return fmt.Errorf("format %q, version %d, want %q, %d", head.Format, head.Version, format, formatVersion)
		}
		var err error
		h.Model, err = ModelOf(head.Model)
		return err
	}
	var op Operation
	if err := strictly(text, &op); err != nil {
		return err
	}
	if len(h.Operations) == MaxOperations {
		return fmt.Errorf("more than %d operations", MaxOperations)
	}
	h.Operations = append(h.Operations, op)
	return nil
}

// strictly reads one JSON object and nothing after it.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// ReadFile reads the history of a file.
func ReadFile(name string) (History, error) {
	f, err := os.Open(name)
	if err != nil {
		return History{}, fmt.Errorf("history: %w", err)
	}
	defer f.Close()
	return ReadHistory(f)
}

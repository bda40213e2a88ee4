package relevance

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// The bounds of what is read.
const (
	maxLine      = 1 << 20    // bytes
	maxLines     = 50_000_000 // of a file
	maxQueries   = 1_000_000
	maxJudged    = 20_000_000
	maxID        = 128 // bytes of the id of a query or document, as a search takes
	maxQueryText = 64 << 10
)

// A LineError is what is wrong with a line of a file, and what would be right.
type LineError struct {
	File string
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// eachLine calls f for each line of a file, without its end, be it \n or \r\n. An error of f is given the line's place.
func eachLine(name string, in io.Reader, f func(line string) error) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for scanner.Scan() {
		if n++; n > maxLines {
			return &LineError{name, n, fmt.Errorf("too many lines: want at most %d", maxLines)}
		}
		if err := f(scanner.Text()); err != nil {
			return &LineError{name, n, err}
		}
	}
	if err := scanner.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line is too long: want at most %d bytes", maxLine)
		}
		return &LineError{name, n + 1, err}
	}
	return nil
}

// readFile opens a file, decompresses it if its name says so, and hands it to a reader of its format.
func readFile[T any](name string, read func(name string, in io.Reader) (T, error)) (T, error) {
	var none T
	file, err := os.Open(name)
	if err != nil {
		return none, err
	}
	defer file.Close()
	if !strings.HasSuffix(name, ".gz") {
		return read(name, file)
	}
	plain, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return none, fmt.Errorf("%s: its name ends in .gz, but it is not compressed so: %w", name, err)
	}
	return read(name, plain)
}

// checkID refuses what a search could not take as an id, or a run file not hold.
func checkID(what, id string) error {
	if id == "" {
		return fmt.Errorf("%s has no id", what)
	}
	if len(id) > maxID {
		return fmt.Errorf("id of %s has %d bytes: want at most %d", what, len(id), maxID)
	}
	for _, b := range []byte(id) {
		if b <= ' ' || b > '~' {
			return fmt.Errorf("id of %s is %q: want printable ASCII without spaces", what, id)
		}
	}
	return nil
}

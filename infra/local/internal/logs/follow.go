package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names lists the replicas that have a log, sorted.
func Names(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".log"))
	}
	slices.Sort(names)
	return names, err
}

// Select picks the names that are asked for: of replicas, or of services, which
// stand for all their replicas. None means all.
func Select(names, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return names, nil
	}
	var selected []string
	for _, want := range wanted {
		found := false
		for _, name := range names {
			if name != want && !isReplica(name, want) {
				continue
			}
			found = true
			if !slices.Contains(selected, name) {
				selected = append(selected, name)
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no log of %q; there are logs of %s", want, strings.Join(names, ", "))
		}
	}
	return selected, nil
}

func isReplica(name, service string) bool {
	number, found := strings.CutPrefix(name, service+"-")
	return found && number != "" && strings.Trim(number, "0123456789") == ""
}

// stamped is a line and when it was written.
type stamped struct {
	at   string // RFC 3339, which sorts; a line without a time has that of the one before
	name string
	line []byte
}

// Last shows the last n lines of each replica, all of them in the order of
// time, and returns how far each file was read.
func Last(out io.Writer, dir string, names []string, n int, style Style) (map[string]int64, error) {
	var all []stamped
	offsets := map[string]int64{}
	for _, name := range names {
		lines, size, err := tail(Path(dir, name), n)
		if err != nil {
			return nil, err
		}
		offsets[name] = size
		at := ""
		for _, line := range lines {
			if t := timeOf(line); t != "" {
				at = t
			}
			all = append(all, stamped{at, name, line})
		}
	}
	slices.SortStableFunc(all, func(a, b stamped) int { return strings.Compare(a.at, b.at) })
	for _, s := range all {
		if _, err := io.WriteString(out, style.Line(s.name, s.line)); err != nil {
			return nil, err
		}
	}
	return offsets, nil
}

func timeOf(line []byte) string {
	fields, _ := parse(line)
	for _, f := range fields {
		if f.name == "time" {
			return f.value
		}
	}
	return ""
}

// tail returns the last n whole lines of a file, of its last megabyte.
func tail(path string, n int) (lines [][]byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size = info.Size()
	from := max(0, size-1<<20)
	content, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return nil, 0, err
	}
	if from > 0 { // the first line is half a line
		_, content, _ = bytes.Cut(content, []byte("\n"))
	}
	lines = slices.Collect(bytes.Lines(content))
	if unfinished := len(lines); unfinished > 0 && !bytes.HasSuffix(lines[unfinished-1], []byte("\n")) {
		size -= int64(len(lines[unfinished-1]))
		lines = lines[:unfinished-1]
	}
	return lines[max(0, len(lines)-n):], size, nil
}

// Follow shows new lines until ctx ends. A file that was rotated is read from
// its beginning.
func Follow(ctx context.Context, out io.Writer, dir string, offsets map[string]int64, style Style) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		for name, offset := range offsets {
			next, err := more(out, dir, name, offset, style)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			offsets[name] = next
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func more(out io.Writer, dir, name string, offset int64, style Style) (int64, error) {
	f, err := os.Open(Path(dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return offset, err
	}
	if info.Size() < offset {
		offset = 0
	}
	if info.Size() == offset {
		return offset, nil
	}
	lines := bufio.NewReader(io.NewSectionReader(f, offset, info.Size()-offset))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // the rest is half a line
			return offset, nil
		}
		offset += int64(len(line))
		if _, err := io.WriteString(out, style.Line(name, line)); err != nil {
			return offset, err
		}
	}
}

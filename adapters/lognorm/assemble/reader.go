package assemble

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Outcome is what became of some bytes.
type Outcome int

// The outcomes.
const (
	More     Outcome = iota // nothing was taken: more bytes are needed
	Parsed                  // a record of a known format
	Unparsed                // a record that is a line as it stands, marked so
	Blank                   // lines without content, and no record
	Hole                    // NUL bytes that nobody wrote, and no record
)

// Flush says what may be taken when no more bytes come.
type Flush int

// The kinds of flush.
const (
	Wait    Flush = iota // only what is complete
	Records              // a record that more lines might still continue, too
	All                  // a line without its end, too
)

// Mode says which lines continue a record.
type Mode string

// The modes.
const (
	Traces  Mode = "trace"  // those that look like a stack trace
	Headers Mode = "header" // those that do not begin a record
	Off     Mode = "off"    // none
)

// Options say how to read a source.
type Options struct {
	Formats []format.Format
	Mode    Mode
	MaxLine int // bytes; a longer line is passed on in pieces of that length
}

// State belongs to one stream of bytes.
type State struct {
	long bool // in the middle of a line that was too long
	hole bool // in the middle of a hole
}

// Result tells what Next took.
type Result struct {
	Outcome Outcome
	N       int  // bytes
	Lines   int  // line ends among them, and a last line without one
	Partial bool // with More: what is missing is the end of a line
}

// hole is from how many NUL bytes on they are taken for a hole: what a writer
// leaves that goes on at its old offset after the file was truncated.
const hole = 64

// Reader makes records. It belongs to one goroutine.
type Reader struct {
	Env *format.Env

	options Options
	// What a record may refer to beside the window:
	clean       []byte // a line whose broken characters were replaced
	cleanSecond []byte // and the one after it
	joined      []byte // a message of several lines
	encoded     []byte // an original in base64
}

// NewReader returns a Reader.
func NewReader(o Options, e *format.Env) *Reader { return &Reader{Env: e, options: o} }

// Next takes the first record of the window, which must not be empty. The record
// refers to the window and to the Reader, until the next call.
func (a *Reader) Next(s *State, window []byte, flush Flush, r *record.Record) Result {
	if n := nuls(window); n >= hole || s.hole && n > 0 {
		s.hole = true
		return Result{Outcome: Hole, N: n}
	}
	s.hole = false
	line, n, complete := cut(window)
	if len(line) > a.options.MaxLine+1 || complete && len(line) > a.options.MaxLine { // without its end it may be a carriage return shorter
		return a.piece(s, line, r)
	}
	if !complete && flush != All {
		return Result{Outcome: More, Partial: true}
	}
	if s.long { // the rest of a line that was too long
		s.long = false
		a.unparsed(r, line, "too long")
		return Result{Outcome: Unparsed, N: n, Lines: 1}
	}
	if len(bytes.TrimLeft(line, " \t")) == 0 {
		return Result{Outcome: Blank, N: n, Lines: 1}
	}
	return a.record(window, line, n, flush, r)
}

// cut returns the first line, and how many bytes it takes with its end.
func cut(window []byte) (line []byte, n int, complete bool) {
	n = bytes.IndexByte(window, '\n')
	if n < 0 {
		return window, len(window), false
	}
	line = window[:n]
	if n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, n + 1, true
}

func nuls(window []byte) int {
	n := 0
	for n < len(window) && window[n] == 0 {
		n++
	}
	return n
}

// piece takes a part of a line that is too long, and no character in half.
func (a *Reader) piece(s *State, line []byte, r *record.Record) Result {
	end := min(a.options.MaxLine, len(line))
	for back := 0; back < utf8.UTFMax-1 && end < len(line) && end > 1 && !utf8.RuneStart(line[end]); back++ {
		end--
	}
	s.long = true
	a.unparsed(r, line[:end], "too long")
	return Result{Outcome: Unparsed, N: end}
}

// unparsed makes a record of a text as it stands.
func (a *Reader) unparsed(r *record.Record, text []byte, why string) {
	r.Reset()
	r.Body = record.Text(text)
	r.Add("unparsed", record.Text([]byte(why)))
	if !utf8.Valid(text) {
		a.original(r, text)
	}
}

// original keeps the bytes of a text that is no UTF-8: its characters are
// replaced in the record, so this is where they are not lost.
func (a *Reader) original(r *record.Record, text []byte) {
	a.encoded = base64.StdEncoding.AppendEncode(a.encoded[:0], text)
	r.Add("log.record.original.base64", record.Text(a.encoded))
}

// record reads a line and what continues it.
func (a *Reader) record(window, line []byte, n int, flush Flush, r *record.Record) Result {
	head := line
	valid := utf8.Valid(line)
	if !valid {
		a.clean = append(a.clean[:0], bytes.ToValidUTF8(line, []byte("\ufffd"))...)
		head = a.clean
	}
	t, application, ok := a.read(head, r)
	switch {
	case !ok:
		if t = uncaught(head, r); t == text {
			a.unparsed(r, line, "format")
			return Result{Outcome: Unparsed, N: n, Lines: 1}
		}
	case t == jul:
		second := a.second(window, n, flush, r)
		if second.Outcome == More {
			return second
		}
		if second.Outcome == Unparsed {
			a.unparsed(r, line, "format")
			return Result{Outcome: Unparsed, N: n, Lines: 1}
		}
		result := a.trailing(window, second.N, 2, flush, trace{kind: text, severity: r.Severity}, r)
		return a.whole(window, result, r)
	case !application:
		if !valid {
			a.original(r, line)
		}
		return Result{Outcome: Parsed, N: n, Lines: 1}
	}
	result := a.trailing(window, n, 1, flush, trace{kind: t, severity: r.Severity}, r)
	return a.whole(window, result, r)
}

// whole keeps the original of a record of several lines, where it must.
func (a *Reader) whole(window []byte, result Result, r *record.Record) Result {
	if result.Outcome == Parsed && !utf8.Valid(window[:result.N]) {
		a.original(r, bytes.TrimRight(window[:result.N], "\r\n"))
	}
	return result
}

// read finds the format of a line.
func (a *Reader) read(line []byte, r *record.Record) (t traceKind, application, ok bool) {
	for i := range a.options.Formats {
		f := &a.options.Formats[i]
		r.Reset()
		if f.Read(a.Env, line, r) {
			if f.Name == "jul" {
				return jul, true, true
			}
			return text, f.Application, true
		}
	}
	return text, false, false
}

// second reads the second line of java.util.logging.
func (a *Reader) second(window []byte, n int, flush Flush, r *record.Record) Result {
	if n == len(window) {
		if flush == Wait {
			return Result{Outcome: More}
		}
		return Result{Outcome: Unparsed}
	}
	line, m, complete := cut(window[n:])
	if !complete && flush != All {
		return Result{Outcome: More, Partial: true}
	}
	if !utf8.Valid(line) {
		a.cleanSecond = append(a.cleanSecond[:0], bytes.ToValidUTF8(line, []byte("\ufffd"))...)
		line = a.cleanSecond
	}
	if !format.JULMessage(line, r) {
		return Result{Outcome: Unparsed}
	}
	return Result{Outcome: Parsed, N: n + m}
}

package assemble

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// trailing adds the lines that continue the record whose head has n bytes.
func (a *Reader) trailing(window []byte, n, lines int, flush Flush, t trace, r *record.Record) Result {
	if a.options.Mode == Off && t.kind == text {
		return Result{Outcome: Parsed, N: n, Lines: lines}
	}
	head := n
	for {
		verdict := a.continues(window[n:], flush, &t)
		if verdict.Outcome == More {
			return verdict
		}
		if verdict.N == 0 {
			break
		}
		n += verdict.N
		lines += verdict.Lines
	}
	if n > head {
		a.attach(window[head:n], &t, r)
	} else if t.kind != text {
		t.describe(nil, r)
	}
	return Result{Outcome: Parsed, N: n, Lines: lines}
}

// continues tells how many bytes at the front of rest belong to the record: none
// when another one begins there.
func (a *Reader) continues(rest []byte, flush Flush, t *trace) Result {
	if len(rest) == 0 {
		if flush == Wait {
			return Result{Outcome: More}
		}
		return Result{Outcome: Parsed}
	}
	line, n, complete := cut(rest)
	if len(line) > a.options.MaxLine { // for Next to take in pieces
		return Result{Outcome: Parsed}
	}
	if !complete && flush != All {
		return a.undecided(flush, true)
	}
	if len(line) == 0 {
		return a.across(rest, n, flush, t)
	}
	if t.continues(line) || a.options.Mode == Headers && !a.begins(line) {
		t.lines++
		return Result{Outcome: Parsed, N: n, Lines: 1}
	}
	return Result{Outcome: Parsed}
}

// across decides on an empty line: it belongs to a trace that goes on after it.
func (a *Reader) across(rest []byte, n int, flush Flush, t *trace) Result {
	if !t.spansBlanks() {
		return Result{Outcome: Parsed}
	}
	lines := 1
	for n < len(rest) {
		line, m, complete := cut(rest[n:])
		switch {
		case !complete && flush != All:
			return a.undecided(flush, true)
		case len(line) == 0:
			n += m
			lines++
			continue
		case t.resumes(line):
			t.lines++
			return Result{Outcome: Parsed, N: n + m, Lines: lines + 1}
		}
		return Result{Outcome: Parsed}
	}
	return a.undecided(flush, false)
}

func (a *Reader) undecided(flush Flush, partial bool) Result {
	if flush == Wait {
		return Result{Outcome: More, Partial: partial}
	}
	return Result{Outcome: Parsed}
}

// begins tells that a line is the head of a record.
func (a *Reader) begins(line []byte) bool {
	var r record.Record
	_, _, ok := a.read(line, &r)
	return ok
}

// attach puts the lines after the head where they belong.
func (a *Reader) attach(more []byte, t *trace, r *record.Record) {
	more = bytes.TrimRight(more, "\r\n")
	if t.kind != text {
		t.describe(more, r)
		r.Add("exception.stacktrace", record.Text(more))
		return
	}
	a.joined = append(append(append(a.joined[:0], r.Body.Bytes()...), '\n'), more...)
	r.Body = record.Text(a.joined)
}

// Exception adds to a record whose body is a text of several lines, with an
// exception of Java in the first one, what the exception was.
func Exception(body []byte, r *record.Record) {
	first, more, several := bytes.Cut(body, []byte{'\n'})
	if !several || !throwable(bytes.TrimRight(first, "\r")) {
		return
	}
	kind, message, _ := bytes.Cut(bytes.TrimRight(first, "\r"), []byte(": "))
	r.Text("exception.type", kind)
	r.Text("exception.message", message)
	r.Text("exception.stacktrace", bytes.TrimRight(more, "\r\n"))
	r.Body = record.Text(first)
}

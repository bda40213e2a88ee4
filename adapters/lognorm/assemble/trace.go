package assemble

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// traceKind is the language of a stack trace.
type traceKind int

const (
	text   traceKind = iota // lines of a message, no trace
	java                    // "\tat …", "Caused by: …"
	python                  // "Traceback …", up to the line that names the exception
	golang                  // "goroutine 1 [running]:", …
	jul                     // the first line of java.util.logging
)

// trace follows the lines of one record.
type trace struct {
	kind     traceKind
	severity record.Severity
	lines    int    // that continue the head, so far
	raised   bool   // python: the line that names the exception was seen
	named    []byte // that line
}

var (
	traceback = []byte("Traceback (most recent call last):")
	causedBy  = []byte("Caused by: ")
)

// uncaught knows the first lines of traces that no log library wrote. It makes a
// record of such a line, and returns text for any other.
func uncaught(line []byte, r *record.Record) traceKind {
	kind := text
	severity := record.Error
	switch {
	case bytes.HasPrefix(line, []byte("panic: ")), bytes.HasPrefix(line, []byte("fatal error: ")):
		kind, severity = golang, record.Fatal
	case bytes.Equal(line, traceback):
		kind = python
	case bytes.HasPrefix(line, []byte(`Exception in thread "`)), throwable(line):
		kind = java
	default:
		return text
	}
	r.Reset()
	r.Severity = severity
	r.Body = record.Text(line)
	return kind
}

// continues tells whether a line that is not empty belongs to the record.
func (t *trace) continues(line []byte) bool {
	switch t.kind {
	case python:
		return t.continuesPython(line)
	case golang:
		return goLine(line)
	}
	indented := line[0] == ' ' || line[0] == '\t'
	switch {
	case bytes.HasPrefix(line, causedBy), indented && frame(bytes.TrimLeft(line, " \t")):
		t.kind = java
		return true
	case indented:
		return true
	case t.lines == 0 && throwable(line): // log4j writes it after the message
		t.kind = java
		return true
	case t.kind == text && t.severity >= record.Error && bytes.Equal(line, traceback):
		t.kind = python
		return true
	}
	return false
}

// frame is a line of a Java trace without its indentation.
func frame(line []byte) bool {
	return bytes.HasPrefix(line, []byte("at ")) || bytes.HasPrefix(line, []byte("... ")) || bytes.HasPrefix(line, []byte("Suppressed: "))
}

func (t *trace) continuesPython(line []byte) bool {
	if line[0] == ' ' || line[0] == '\t' {
		return !t.raised
	}
	if t.raised {
		return false
	}
	name, _, _ := bytes.Cut(line, []byte{':'})
	if !dotted(name) {
		return false
	}
	t.raised, t.named = true, line
	return true
}

// spansBlanks tells whether an empty line may be inside of the trace.
func (t *trace) spansBlanks() bool { return t.kind == golang || t.kind == python && t.raised }

// resumes tells whether a line after an empty one belongs to the trace.
func (t *trace) resumes(line []byte) bool {
	if t.kind == golang {
		return goLine(line)
	}
	if bytes.Equal(line, []byte("During handling of the above exception, another exception occurred:")) ||
		bytes.Equal(line, []byte("The above exception was the direct cause of the following exception:")) {
		return true
	}
	if bytes.Equal(line, traceback) {
		t.raised = false
		return true
	}
	return false
}

// goLine is a line of what the Go runtime prints when a process dies.
func goLine(line []byte) bool {
	for _, begin := range []string{"\t", "goroutine ", "created by ", "[signal ", "runtime stack:", "exit status ", "panic: ", "main.main("} {
		if len(line) >= len(begin) && string(line[:len(begin)]) == begin {
			return true
		}
	}
	// path/to/package.(*Type).Method(0x1, …)
	open := bytes.LastIndexByte(line, '(')
	return open > 0 && line[len(line)-1] == ')' && bytes.IndexByte(line[:open], ' ') < 0 && bytes.IndexByte(line[:open], '.') > 0
}

// throwable is the line of Java that names an exception: a class in a package
// whose name ends as those of exceptions do.
func throwable(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte{':'})
	dot := bytes.LastIndexByte(name, '.')
	if dot < 1 || !dotted(name) {
		return false
	}
	class := name[dot+1:]
	return bytes.HasSuffix(class, []byte("Exception")) || bytes.HasSuffix(class, []byte("Error")) || bytes.HasSuffix(class, []byte("Throwable"))
}

// dotted is a name such as a.b.C$D.
func dotted(name []byte) bool {
	if len(name) == 0 || len(name) > 256 {
		return false
	}
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		if !letter && (i == 0 || !(c == '.' || c >= '0' && c <= '9')) {
			return false
		}
	}
	return true
}

// describe adds the type and the message of the exception, as the semantic
// conventions name them.
func (t *trace) describe(more []byte, r *record.Record) {
	line := r.Body.Bytes()
	switch t.kind {
	case golang:
		kind, message, _ := bytes.Cut(line, []byte(": "))
		r.Text("exception.type", kind)
		r.Text("exception.message", message)
		return
	case python:
		line = t.named
	case java:
		if rest, found := bytes.CutPrefix(line, []byte(`Exception in thread "`)); found {
			_, line, _ = bytes.Cut(rest, []byte(`" `))
		} else if first, _, _ := bytes.Cut(more, []byte{'\n'}); !throwable(line) {
			line = bytes.TrimRight(first, "\r")
		}
		if !throwable(line) {
			return
		}
	}
	kind, message, _ := bytes.Cut(line, []byte(": "))
	r.Text("exception.type", kind)
	r.Text("exception.message", message)
}

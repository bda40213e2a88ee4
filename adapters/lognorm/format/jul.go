package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// JUL reads the first line of java.util.logging's two:
//
//	Mar 05, 2024 10:11:12 AM com.example.Main run
//	INFO: a message
//
// The second one is JULMessage. Newer versions of Java write a narrow space
// before AM and PM.
func JUL(e *Env, line []byte, r *record.Record) bool {
	c := cursor{line, 0}
	var t civil
	if !c.month(&t.month) || !c.take(' ') {
		return false
	}
	day, ok := c.digits(2)
	if !ok || !c.text(", ") || !c.fixed(4, &t.year) {
		return false
	}
	c.take(',') // some locales have one more
	if !c.take(' ') {
		return false
	}
	hour, ok := c.digits(2)
	if !ok || !c.take(':') || !c.fixed(2, &t.minute) || !c.take(':') || !c.fixed(2, &t.second) {
		return false
	}
	if !c.take(' ') && !c.text("\u202f") {
		return false
	}
	t.day, t.hour = int(day), int(hour)
	if half := c.text("AM"); half || c.text("PM") {
		if hour < 1 || hour > 12 || !c.take(' ') {
			return false
		}
		t.hour %= 12
		if !half {
			t.hour += 12
		}
	}
	if !t.valid() {
		return false
	}
	class, method, _ := bytes.Cut(c.rest(), []byte{' '})
	if len(class) == 0 || bytes.IndexByte(method, ' ') >= 0 {
		return false
	}
	r.Time = e.zone.at(t)
	r.Scope = class
	r.Text("code.function.name", method)
	return true
}

// JULMessage reads the second line.
func JULMessage(line []byte, r *record.Record) bool {
	level, message, found := bytes.Cut(line, []byte(": "))
	if !found {
		level, found = bytes.CutSuffix(line, []byte{':'})
		if !found {
			return false
		}
	}
	severity, known := record.ParseLevel(level)
	if !known {
		return false
	}
	r.Severity, r.Level = severity, level
	r.Body = record.Text(message)
	return true
}

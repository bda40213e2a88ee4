package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Glog reads lines of glog and klog:
//
//	I0305 10:11:12.123456   12345 server.go:42] a message
//	I0305 10:11:12.123456   12345 server.go:42] "A message" key="value"
//	I20240305 10:11:12.123456 12345 server.cc:42] a message
//
// and the header that glog begins its files with.
func Glog(e *Env, line []byte, r *record.Record) bool {
	if len(line) < 20 {
		return false
	}
	level, ok := glogLevel(line[0])
	if !ok {
		return glogHeader(line, r)
	}
	c := cursor{line, 1}
	var t civil
	dated := len(line) > 9 && line[5] != ' '
	if dated && !c.fixed(4, &t.year) || !c.fixed(2, &t.month) || !c.fixed(2, &t.day) || !c.take(' ') || !c.clockTime(&t) || !t.valid() {
		return glogHeader(line, r)
	}
	c.spaces()
	thread, ok := c.digits(18)
	if !ok || !c.take(' ') {
		return false
	}
	file, ok := c.until(':')
	if !ok || len(file) == 0 || bytes.IndexByte(file, ' ') >= 0 {
		return false
	}
	number, ok := c.digits(9)
	if !ok || !c.text("]") {
		return false
	}
	c.take(' ')
	if !dated {
		t = e.withYear(t)
	}
	r.Time = e.zone.at(t)
	r.Severity, r.Level = level, line[:1]
	r.Add("thread.id", record.Int(thread))
	r.Text("code.file.path", file)
	r.Add("code.line.number", record.Int(number))
	r.Body = record.Text(c.rest())
	if c.peek() == '"' {
		structured(c.rest(), r)
	}
	return true
}

func glogLevel(letter byte) (record.Severity, bool) {
	switch letter {
	case 'I':
		return record.Info, true
	case 'W':
		return record.Warn, true
	case 'E':
		return record.Error, true
	case 'F':
		return record.Fatal, true
	}
	return 0, false
}

// structured reads klog's "message" key=value …; what is not exactly that stays
// a message.
func structured(text []byte, r *record.Record) {
	message, n, ok := quotedText(text)
	if !ok {
		return
	}
	before := len(r.Attrs)
	if n < len(text) && (text[n] != ' ' || !pairs(text[n+1:], r)) {
		r.Attrs = r.Attrs[:before]
		return
	}
	r.Body = record.Text(message)
}

// glogHeader knows the lines that a file of glog begins with.
func glogHeader(line []byte, r *record.Record) bool {
	for _, begin := range []string{"Log file created at: ", "Running on machine: ", "Binary: Built with ", "Running duration (", "Log line format: [IWEF]"} {
		if len(line) >= len(begin) && string(line[:len(begin)]) == begin {
			r.Body = record.Text(line)
			return true
		}
	}
	return false
}

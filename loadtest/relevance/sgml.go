package relevance

import (
	"fmt"
	"io"
	"strings"
)

// maxRecord bounds the text of a document or topic in the form of TREC.
const maxRecord = 4 << 20

// A record is what stands between two tags, by the fields in it. Their names are in lower case.
type record map[string]*strings.Builder

func (r record) text(field string) string {
	if r[field] == nil {
		return ""
	}
	return strings.Join(strings.Fields(r[field].String()), " ")
}

// eachRecord calls f for each <name>…</name> of a file. It is no parser of SGML, which TREC's files are not: a field begins with its tag and
// ends with the next tag, closed or not; what looks like no tag is text.
func eachRecord(file string, in io.Reader, name string, f func(record) error) error {
	s := recordScanner{name: name, emit: f}
	err := eachLine(file, in, s.line)
	if err == nil && s.open != nil {
		err = fmt.Errorf("%s: ends within <%s>: want </%s>", file, name, name)
	}
	return err
}

type recordScanner struct {
	name  string
	emit  func(record) error
	open  record // nil outside
	field string
	size  int
}

func (s *recordScanner) line(line string) error {
	if s.size += len(line) + 1; s.size > maxRecord && s.open != nil {
		return fmt.Errorf("<%s> has more than %d bytes", s.name, maxRecord)
	}
	for line != "" {
		before, tag, after, found := cutTag(line)
		if err := s.text(before); err != nil {
			return err
		}
		if !found {
			break
		}
		if err := s.tag(tag); err != nil {
			return err
		}
		line = after
	}
	return s.text("\n")
}

func (s *recordScanner) text(text string) error {
	if s.open == nil {
		if strings.TrimSpace(text) != "" {
			return fmt.Errorf("%q stands outside of <%s>", abbreviated(strings.TrimSpace(text)), s.name)
		}
		return nil
	}
	if s.open[s.field] == nil {
		s.open[s.field] = &strings.Builder{}
	}
	s.open[s.field].WriteString(text)
	return nil
}

func (s *recordScanner) tag(tag string) error {
	switch {
	case tag == s.name && s.open != nil:
		return fmt.Errorf("<%s> within <%s>: want </%s> before it", tag, tag, tag)
	case tag == s.name:
		s.open, s.field, s.size = record{}, "", 0
	case tag == "/"+s.name && s.open == nil:
		return fmt.Errorf("</%s> without <%s> before it", s.name, s.name)
	case tag == "/"+s.name:
		done := s.open
		s.open = nil
		return s.emit(done)
	case tag[0] == '/':
		s.field = "" // between fields: kept, and looked at by nobody
	default:
		s.field = tag
	}
	return nil
}

// cutTag cuts a text around its first tag: <, perhaps a slash, letters, perhaps more after a space, >.
func cutTag(text string) (before, tag, after string, found bool) {
	for from := 0; ; {
		begin := strings.IndexByte(text[from:], '<')
		if begin < 0 {
			return text, "", "", false
		}
		begin += from
		end := strings.IndexByte(text[begin:], '>')
		if end < 0 {
			return text, "", "", false
		}
		inside, _, _ := strings.Cut(text[begin+1:begin+end], " ")
		if isTag(inside) {
			return text[:begin], strings.ToLower(inside), text[begin+end+1:], true
		}
		from = begin + 1
	}
}

func isTag(text string) bool {
	name := strings.TrimPrefix(text, "/")
	if name == "" || len(name) > 32 {
		return false
	}
	for _, b := range []byte(name) {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

package relevance

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// TopicFields are the parts of a topic that can be a query: what somebody would type, what they would say, what they would explain.
var TopicFields = []string{"title", "desc", "narr"}

// ReadTopics reads topics of TREC, in either form, whose query is the text of the fields named. A file of "number:text" lines has titles only.
func ReadTopics(name string, fields ...string) ([]Query, error) {
	if len(fields) == 0 {
		fields = TopicFields[:1]
	}
	for _, f := range fields {
		if !slices.Contains(TopicFields, f) {
			return nil, fmt.Errorf("a topic has no field %q: want some of %s", f, strings.Join(TopicFields, ", "))
		}
	}
	return readFile(name, func(name string, in io.Reader) ([]Query, error) { return parseTopics(name, in, fields) })
}

func parseTopics(name string, in io.Reader, fields []string) ([]Query, error) {
	all := newQueries()
	text := bufio.NewReader(in)
	tagged, err := beginsWithTag(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if tagged {
		err = eachRecord(name, text, "top", func(r record) error { return all.addTopic(r, fields) })
	} else {
		err = eachLine(name, text, all.addLine)
	}
	return all.result(name, err)
}

// beginsWithTag looks at the first byte that is no white space, which must come soon.
func beginsWithTag(text *bufio.Reader) (bool, error) {
	head, err := text.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.HasPrefix(strings.TrimLeft(string(head), " \t\r\n\ufeff"), "<"), nil
}

func (q *queries) addLine(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	number, text, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%q: want number:text, or topics between <top> and </top>", abbreviated(line))
	}
	return q.add(strings.TrimSpace(number), text)
}

func (q *queries) addTopic(r record, fields []string) error {
	number := withoutLabel(r.text("num"), "Number:")
	if number == "" {
		return errors.New("topic without a number: want <num> Number: 301")
	}
	var parts []string
	for _, f := range fields {
		if text := withoutLabel(r.text(f), labels[f]); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return fmt.Errorf("topic %s has no <%s>", number, strings.Join(fields, ">, <"))
	}
	return q.add(plainNumber(number), strings.Join(parts, " "))
}

// labels are written before the text of a field in TREC's own topics.
var labels = map[string]string{"title": "Topic:", "desc": "Description:", "narr": "Narrative:"}

func withoutLabel(text, label string) string {
	return strings.TrimSpace(strings.TrimPrefix(text, label))
}

// plainNumber is the number of a topic as judgements have it: topic 051 is judged as 51.
func plainNumber(number string) string {
	if strings.Trim(number, "0123456789") != "" {
		return number
	}
	return cmp.Or(strings.TrimLeft(number, "0"), "0")
}

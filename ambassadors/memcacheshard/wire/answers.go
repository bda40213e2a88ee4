package wire

import (
	"bytes"
	"errors"
	"io"
)

// Answers finds answers in what a server sends.
type Answers struct {
	buffer
	limit  int
	at     int  // how far the answer at start was looked through: whole lines and blocks
	inside bool // of a list of values
	over   bool // the answer is over the limit: what comes of it is dropped
	skip   int  // bytes to drop next
	last   bool // and nothing comes after them
}

// ErrAnswer says that a server sent what is no answer. Nothing more can be read
// of it.
var ErrAnswer = errors.New("the server does not speak memcached's protocol")

// maxAnswerLine is the longest line of an answer.
const maxAnswerLine = 4 << 10

// NewAnswers returns a reader of answers of at most limit bytes. What is larger is
// read over, and Next says so in its place.
func NewAnswers(limit int) *Answers { return &Answers{buffer: buffer{size: 64 << 10}, limit: limit} }

// Fill reads once from the server.
func (a *Answers) Fill(in io.Reader) (int, error) { return a.fill(in) }

// Next returns the next answer that has come completely; ok is false when there
// is none. The answer is good until the next Fill; it is nil, with ok, in the
// place of one that was too large.
func (a *Answers) Next() (answer []byte, ok bool, err error) {
	for {
		if a.over && !a.dropped() {
			return nil, false, nil
		}
		if a.over && a.last {
			a.over, a.last, a.inside = false, false, false
			return nil, true, nil
		}
		line, err := a.line()
		if line == nil {
			return nil, false, err
		}
		block, more, err := follows(line, a.inside)
		if err != nil {
			return nil, false, err
		}
		size := len(line) + block
		if a.over = a.over || a.at+size > a.limit; a.over {
			a.start += a.at + len(line)
			a.at, a.skip, a.last, a.inside = 0, block, !more, true
			continue
		}
		if a.lacks(a.at + size) {
			return nil, false, nil
		}
		a.at, a.inside = a.at+size, more
		if block > 0 && string(a.b[a.start+a.at-2:a.start+a.at]) != "\r\n" {
			return nil, false, ErrAnswer
		}
		if !more {
			answer = a.b[a.start : a.start+a.at : a.start+a.at]
			a.start, a.at = a.start+a.at, 0
			return answer, true, nil
		}
	}
}

// line returns the line at a.at with its end; nil while that has not come.
func (a *Answers) line() ([]byte, error) {
	if a.lacks(a.at + 1) {
		return nil, nil
	}
	n := a.end(a.at)
	if n > maxAnswerLine || n == 0 && len(a.b)-a.start-a.at >= maxAnswerLine {
		return nil, ErrAnswer
	}
	if n == 0 {
		return nil, nil
	}
	return a.b[a.start+a.at : a.start+a.at+n], nil
}

// dropped drops what is to be dropped, and tells whether all of it has come.
func (a *Answers) dropped() bool {
	n := min(a.skip, len(a.b)-a.start)
	a.start += n
	a.skip -= n
	return a.skip == 0
}

var value, va = []byte("VALUE "), []byte("VA ")

// follows tells what comes after a line of an answer: a data block of so many
// bytes, with its end, and whether more lines.
func follows(line []byte, inside bool) (block int, more bool, err error) {
	number := 0
	switch {
	case line[0] != 'V' || len(line) < 2 || line[1] != 'A':
		return 0, false, nil
	case bytes.HasPrefix(line, value):
		number, more = 3, true
	case inside:
		return 0, false, ErrAnswer
	case bytes.HasPrefix(line, va):
		number = 1
	}
	n, ok := sizeAt(line, number)
	if !ok {
		return 0, false, ErrAnswer
	}
	return n + 2, more, nil
}

// sizeAt reads the number that is the nth word of a line, counted from 0.
func sizeAt(line []byte, n int) (int, bool) {
	for range n {
		at := bytes.IndexByte(line, ' ')
		if at < 0 {
			return 0, false
		}
		line = line[at+1:]
	}
	size := 0
	for i, c := range line {
		if c < '0' || c > '9' {
			return size, i > 0 && (c == ' ' || c == '\r')
		}
		if i > 8 {
			return 0, false
		}
		size = size*10 + int(c-'0')
	}
	return 0, false
}

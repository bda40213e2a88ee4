package feed

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

// lines reads the documents of a corpus, a line each.
type lines struct {
	r      *bufio.Reader
	number int64               // of the last line, from 1
	wrong  func(int64, string) // told of each line that is no document
}

func newLines(r io.Reader, wrong func(number int64, why string)) *lines {
	return &lines{r: bufio.NewReaderSize(r, document.LongestLine+2), wrong: wrong}
}

// next returns the next document, or io.EOF. Empty lines are none, and not wrong.
func (l *lines) next() (document.Document, error) {
	for {
		line, err := l.line()
		switch {
		case errors.Is(err, errLong):
			l.wrong(l.number, fmt.Sprintf("the line is longer than %d bytes", document.LongestLine))
			continue
		case err != nil:
			return document.Document{}, err
		case len(line) == 0:
			continue
		}
		d, err := document.Decode(line)
		if err == nil {
			return d, nil
		}
		l.wrong(l.number, err.Error())
	}
}

var errLong = errors.New("the line is too long")

// line returns a line without its end. The last one may have none.
func (l *lines) line() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if len(line) > 0 {
		l.number++
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		if err == nil || err == io.EOF {
			err = errLong
		}
		return nil, err
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line, err
}

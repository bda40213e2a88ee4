package resp

// Elements are the elements of an array, as the bytes of each.
type Elements struct {
	in   buffer
	left int
}

// NewElements takes a complete reply. One that is no array has no elements.
func NewElements(reply []byte) *Elements {
	e := &Elements{in: buffer{b: reply}}
	header, err := e.in.line()
	if err != nil || len(header) == 0 || header[0] != '*' {
		return e
	}
	e.left, _ = integer(header[1:])
	return e
}

// Next returns the next element.
func (e *Elements) Next() (element []byte, ok bool) {
	if e.left <= 0 {
		return nil, false
	}
	from := e.in.at
	s := newScan()
	if done, err := s.run(&e.in); err != nil || !done {
		return nil, false
	}
	e.left--
	return e.in.b[from:e.in.at], true
}

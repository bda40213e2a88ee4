package resp

// scan looks for the end of a value. A value is counted, not descended into: an
// aggregate is replaced by its elements in the number of those to come, so
// nesting costs nothing.
type scan struct {
	left int // values to come
	body int // bytes of the present string to come; -1: a header is to come
}

func newScan() scan { return scan{left: 1, body: -1} }

// maxValues bounds the number of values in a reply.
const maxValues = 1 << 31

// run moves u.at over the value, and tells whether all of it has come. It is
// ready for the next one then.
func (s *scan) run(u *buffer) (bool, error) {
	for s.left > 0 {
		if s.body >= 0 {
			done, err := u.skip(&s.body)
			if !done {
				return false, err
			}
			s.body = -1
			s.left--
			continue
		}
		line, err := u.line()
		if line == nil {
			return false, err
		}
		if err := s.header(line); err != nil {
			return false, err
		}
	}
	*s = newScan()
	return true, nil
}

// header takes the first line of a value.
func (s *scan) header(line []byte) error {
	if len(line) == 0 {
		return malformed("empty line")
	}
	switch line[0] {
	case '+', '-', ':', ',', '#', '_', '(':
		s.left--
		return nil
	}
	n, ok := integer(line[1:])
	if !ok || n < -1 {
		return malformed("invalid length")
	}
	switch line[0] {
	case '$', '!', '=':
		if n < 0 {
			s.left--
			return nil
		}
		s.body = n
	case '*', '~', '>':
		s.left += max(n, 0) - 1
	case '%':
		s.left += 2*max(n, 0) - 1
	case '|': // attributes stand before the value that they describe
		s.left += 2 * max(n, 0)
	default:
		return malformed("unknown type")
	}
	if s.left > maxValues {
		return malformed("invalid length")
	}
	return nil
}

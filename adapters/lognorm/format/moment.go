package format

// The usual ways to write a time. Each passes what it has read.

// clockTime reads 15:04:05 with an optional fraction after '.' or ','.
func (c *cursor) clockTime(t *civil) bool {
	if !c.fixed(2, &t.hour) || !c.take(':') || !c.fixed(2, &t.minute) || !c.take(':') || !c.fixed(2, &t.second) {
		return false
	}
	if (c.peek() == '.' || c.peek() == ',') && c.i+1 < len(c.s) && isDigit(c.s[c.i+1]) {
		c.i++
		t.nanos, _ = c.fraction()
	}
	return true
}

// dateTime reads 2006-01-02 15:04:05 or 2006-01-02T15:04:05 with an optional
// fraction and an optional zone (Z, +01:00, -0700), and returns the instant.
func (c *cursor) dateTime(e *Env) (int64, bool) {
	var t civil
	if !c.fixed(4, &t.year) || !(c.take('-') || c.take('/')) || !c.fixed(2, &t.month) || !(c.take('-') || c.take('/')) || !c.fixed(2, &t.day) {
		return 0, false
	}
	if !c.take('T') && !c.take(' ') || !c.clockTime(&t) || !t.valid() {
		return 0, false
	}
	if offset, ok := c.zone(); ok {
		return t.at(offset), true
	}
	return e.zone.at(t), true
}

// zone reads Z, +01:00 or -0700 and returns seconds east of UTC. It passes
// nothing else.
func (c *cursor) zone() (int64, bool) {
	if c.take('Z') {
		return 0, true
	}
	from := c.i
	sign := int64(1)
	switch {
	case c.take('+'):
	case c.take('-'):
		sign = -1
	default:
		return 0, false
	}
	var hours, minutes int
	if c.fixed(2, &hours) {
		c.take(':')
		if c.fixed(2, &minutes) && hours <= 14 && minutes <= 59 {
			return sign * int64(hours*3600+minutes*60), true
		}
	}
	c.i = from
	return 0, false
}

// month reads Jan to Dec.
func (c *cursor) month(to *int) bool {
	if len(c.s)-c.i < 3 {
		return false
	}
	switch string(c.s[c.i : c.i+3]) {
	case "Jan":
		*to = 1
	case "Feb":
		*to = 2
	case "Mar":
		*to = 3
	case "Apr":
		*to = 4
	case "May":
		*to = 5
	case "Jun":
		*to = 6
	case "Jul":
		*to = 7
	case "Aug":
		*to = 8
	case "Sep":
		*to = 9
	case "Oct":
		*to = 10
	case "Nov":
		*to = 11
	case "Dec":
		*to = 12
	default:
		return false
	}
	c.i += 3
	return true
}

// stamp reads the time of RFC 3164, "Jan _2 15:04:05", which lacks its year.
func (c *cursor) stamp(e *Env) (int64, bool) {
	var t civil
	if !c.month(&t.month) || !c.take(' ') {
		return 0, false
	}
	c.take(' ')
	day, ok := c.digits(2)
	if !ok || !c.take(' ') || !c.clockTime(&t) {
		return 0, false
	}
	if t.day = int(day); !t.valid() {
		return 0, false
	}
	return e.zone.at(e.withYear(t)), true
}

// epoch reads a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970: which of them is told by its size, for times from 2001 to 2286.
func epoch(whole int64, nanos int) (int64, bool) {
	switch {
	case whole < 1e9:
		return 0, false
	case whole < 1e10:
		return whole*1e9 + int64(nanos), true
	case whole < 1e13:
		return whole*1e6 + int64(nanos)/1000, true
	case whole < 1e16:
		return whole * 1e3, true
	}
	return whole, true
}

package format

import "time"

// civil is a time of day on a date, without a zone.
type civil struct {
	year, month, day     int
	hour, minute, second int
	nanos                int
}

func (c civil) valid() bool {
	return c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31 && c.hour <= 23 && c.minute <= 59 && c.second <= 60
}

// seconds counts from 1970 as if the zone were UTC.
func (c civil) seconds() int64 {
	return days(c.year, c.month, c.day)*86400 + int64(c.hour)*3600 + int64(c.minute)*60 + int64(c.second)
}

func (c civil) at(offset int64) int64 {
	return (c.seconds()-offset)*int64(time.Second) + int64(c.nanos)
}

// days counts from 1970 on in the Gregorian calendar: in years that begin in
// March the leap day is the last one.
func days(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	inEra := year - era*400
	inYear := (153*(month-3)+2)/5 + day - 1
	return int64(era)*146097 + int64(inEra*365+inEra/4-inEra/100+inYear) - 719468
}

// zone turns local times into instants. Offsets change at quarters of an hour at
// most, so the last one is remembered by the quarter.
type zone struct {
	location *time.Location
	quarter  int64
	offset   int64
	known    bool
}

func (z *zone) at(c civil) int64 {
	if z.location == nil || z.location == time.UTC {
		return c.at(0)
	}
	quarter := c.seconds() / 900
	if !z.known || quarter != z.quarter {
		t := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, z.location)
		_, offset := t.Zone()
		z.quarter, z.offset, z.known = quarter, int64(offset), true
	}
	return c.at(z.offset)
}

// withYear gives a date its year: the last time that it was, or will be within
// two days – clocks differ, and so do zones.
func (e *Env) withYear(c civil) civil {
	c.year = e.Now.Year()
	if e.zone.at(c) > e.Now.Add(48*time.Hour).UnixNano() {
		c.year--
	}
	return c
}

// today gives a time of day its date, in the same way.
func (e *Env) today(c civil) civil {
	now := e.Now
	if e.zone.location != nil {
		now = now.In(e.zone.location)
	}
	c.year, c.month, c.day = now.Year(), int(now.Month()), now.Day()
	if e.zone.at(c) > e.Now.Add(time.Hour).UnixNano() {
		yesterday := now.AddDate(0, 0, -1)
		c.year, c.month, c.day = yesterday.Year(), int(yesterday.Month()), yesterday.Day()
	}
	return c
}

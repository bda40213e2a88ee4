package mysql

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// SQLite's columns hold values of any type. These functions give a value the
// form that the column's field promises.

func asText(f *mysql.Field, v any) []byte {
	switch v := v.(type) {
	case string:
		if f.Type == mysql.MYSQL_TYPE_DATETIME {
			return rounded(v, int(f.Decimal))
		}
		return []byte(v)
	case []byte:
		return v
	case int64:
		if f.Type == mysql.MYSQL_TYPE_NEWDECIMAL && f.Decimal > 0 {
			return strconv.AppendFloat(nil, float64(v), 'f', int(f.Decimal), 64)
		}
		return strconv.AppendInt(nil, v, 10)
	case float64:
		if f.Type == mysql.MYSQL_TYPE_NEWDECIMAL {
			return strconv.AppendFloat(nil, v, 'f', int(f.Decimal), 64)
		}
		return strconv.AppendFloat(nil, v, 'g', -1, 64)
	case bool:
		return strconv.AppendInt(nil, asInteger(v), 10)
	case time.Time:
		return []byte(v.UTC().Format(time.DateTime))
	}
	return nil
}

// rounded writes a time with the digits of a second that its column has. SQLite
// keeps the text that was written, which may have more, or fewer.
func rounded(text string, digits int) []byte {
	t, err := time.Parse("2006-01-02 15:04:05.999999999", text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return []byte(text)
	}
	layout := time.DateTime
	if digits > 0 {
		layout += "." + "000000000"[:digits]
	}
	unit := time.Second
	for range digits {
		unit /= 10
	}
	return t.Round(unit).AppendFormat(nil, layout)
}

func asInteger(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case bool:
		if v {
			return 1
		}
	case string:
		n, _ := strconv.ParseInt(v, 10, 64) // 0, as MySQL's cast has it
		return n
	}
	return 0
}

func asFloat(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case string:
		n, _ := strconv.ParseFloat(v, 64) // 0, as MySQL's cast has it
		return n
	}
	return 0
}

// appendTime appends a DATE or DATETIME of the binary protocol. What is no time
// becomes the zero time, which drivers know.
func appendTime(out []byte, text []byte) []byte {
	t, err := time.Parse("2006-01-02 15:04:05.999999", string(text))
	if err != nil {
		t, err = time.Parse(time.DateOnly, string(text))
	}
	if err != nil {
		return append(out, 0)
	}
	out = append(out, 11)
	out = binary.LittleEndian.AppendUint16(out, uint16(t.Year()))
	out = append(out, byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()))
	return binary.LittleEndian.AppendUint32(out, uint32(t.Nanosecond()/1000))
}

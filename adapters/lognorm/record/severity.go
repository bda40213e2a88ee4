package record

// Severity is a SeverityNumber of the data model: 1 to 24, 0 when unknown.
type Severity uint8

// The severities that parsers use. The data model has four steps in each range.
const (
	Trace  Severity = 1
	Finer  Severity = 3
	Debug  Severity = 5
	Config Severity = 8
	Info   Severity = 9
	Notice Severity = 10
	Warn   Severity = 13
	Error  Severity = 17
	Crit   Severity = 18
	Alert  Severity = 19
	Fatal  Severity = 21
)

// longest is the length of the longest level name.
const longest = len("informational")

// ParseLevel knows the names of levels of the usual log libraries.
func ParseLevel(word []byte) (Severity, bool) {
	if len(word) == 0 || len(word) > longest {
		return 0, false
	}
	var upper [longest]byte
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	switch string(upper[:len(word)]) {
	case "TRACE", "FINEST", "VERBOSE", "TRC", "ALL":
		return Trace, true
	case "FINER":
		return Finer, true
	case "DEBUG", "FINE", "DBG":
		return Debug, true
	case "CONFIG":
		return Config, true
	case "INFO", "INFORMATION", "INFORMATIONAL", "INF":
		return Info, true
	case "NOTICE":
		return Notice, true
	case "WARN", "WARNING", "WRN":
		return Warn, true
	case "ERROR", "ERR", "SEVERE":
		return Error, true
	case "CRITICAL", "CRIT":
		return Crit, true
	case "ALERT", "DPANIC":
		return Alert, true
	case "FATAL", "PANIC", "EMERG", "EMERGENCY":
		return Fatal, true
	}
	return 0, false
}

// Syslog is the severity of a syslog message, 0 to 7, by the mapping of the data
// model, and the name that syslog gives it.
func Syslog(level int) (Severity, string) {
	switch level {
	case 0:
		return Fatal, "emerg"
	case 1:
		return Alert, "alert"
	case 2:
		return Crit, "crit"
	case 3:
		return Error, "err"
	case 4:
		return Warn, "warning"
	case 5:
		return Notice, "notice"
	case 6:
		return Info, "info"
	}
	return Debug, "debug"
}

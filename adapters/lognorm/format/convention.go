package format

import (
	"bytes"
	"strconv"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// field puts a value whose key has a meaning by convention where it belongs. It
// is false when the key has none, the value is not what the key promises, or the
// place is taken: then the pair is an ordinary attribute.
//
// The keys are those of log/slog, zap, zerolog, logrus, pino, bunyan, log4j's
// and logback's JSON layouts, python-json-logger, structlog, Serilog, the
// Elastic Common Schema, GELF, Google Cloud and OpenTelemetry.
func (e *Env) field(r *record.Record, key []byte, v record.Value) bool {
	switch string(key) {
	case "time", "ts", "timestamp", "@timestamp", "Timestamp", "datetime", "eventTime", "asctime", "@t", "t", "timeMillis", "instant":
		return e.setTime(r, v)
	case "level", "severity", "lvl", "log.level", "levelname", "loglevel", "log_level", "@l", "SeverityText", "PRIORITY":
		return setLevel(r, v)
	case "msg", "message", "@message", "@m", "MESSAGE", "short_message", "body", "Body":
		return setBody(r, v)
	case "logger", "logger_name", "loggerName", "log.logger":
		return setText(&r.Scope, v)
	case "trace_id", "traceId", "traceid", "TraceId", "trace.id", "otelTraceID", "logging.googleapis.com/trace":
		return setID(&r.TraceID, v, 32)
	case "span_id", "spanId", "spanid", "SpanId", "span.id", "otelSpanID", "logging.googleapis.com/spanId":
		return setID(&r.SpanID, v, 16)
	case "traceparent":
		return traceparent(r, v)
	case "hostname", "host.name", "HOSTNAME", "_HOSTNAME":
		return resource(r, "host.name", v)
	case "service.name", "service":
		return resource(r, "service.name", v)
	}
	return renamed(r, key, v)
}

// renamed are the keys whose value is an attribute by another name.
func renamed(r *record.Record, key []byte, v record.Value) bool {
	switch string(key) {
	case "thread", "thread_name", "threadName", "process.thread.name":
		return named(r, "thread.name", v)
	case "stack_trace", "stacktrace", "error.stack_trace", "exc_info", "stack":
		return named(r, "exception.stacktrace", v)
	case "error", "err", "error.message":
		return named(r, "exception.message", v)
	case "error.type":
		return named(r, "exception.type", v)
	case "pid", "process.pid":
		if n, ok := whole(v); ok {
			return r.Set([]byte("process.pid"), record.Int(n))
		}
	case "caller":
		return caller(r, v)
	}
	return false
}

func named(r *record.Record, name string, v record.Value) bool {
	if t, ok := text(v); !ok || len(t) == 0 {
		return false
	}
	return r.Set([]byte(name), v)
}

func setText(to *[]byte, v record.Value) bool {
	t, ok := text(v)
	if !ok || len(t) == 0 || len(*to) > 0 {
		return false
	}
	*to = t
	return true
}

func setBody(r *record.Record, v record.Value) bool {
	if !r.Body.Empty() {
		return false
	}
	r.Body = v
	return true
}

func resource(r *record.Record, name string, v record.Value) bool {
	t, ok := text(v)
	if !ok || len(t) == 0 {
		return false
	}
	for _, a := range r.Resource {
		if a.Name == name {
			return false
		}
	}
	r.AddResource(name, t)
	return true
}

func setLevel(r *record.Record, v record.Value) bool {
	if r.Severity != 0 || len(r.Level) > 0 {
		return false
	}
	if n, ok := whole(v); ok {
		return setLevelNumber(r, n, v)
	}
	t, ok := text(v)
	if !ok {
		return false
	}
	var known bool
	if r.Severity, known = record.ParseLevel(t); !known {
		return false
	}
	r.Level = t
	return true
}

// setLevelNumber knows the numbers of bunyan and pino (10 to 60) and of syslog
// (0 to 7), which GELF and the journal use.
func setLevelNumber(r *record.Record, n int64, v record.Value) bool {
	switch {
	case n >= 0 && n <= 7:
		r.Severity, _ = record.Syslog(int(n))
	case n >= 10 && n < 20:
		r.Severity = record.Trace
	case n >= 20 && n < 30:
		r.Severity = record.Debug
	case n >= 30 && n < 40:
		r.Severity = record.Info
	case n >= 40 && n < 50:
		r.Severity = record.Warn
	case n >= 50 && n < 60:
		r.Severity = record.Error
	case n == 60:
		r.Severity = record.Fatal
	default:
		return false
	}
	r.Level = v.Bytes()
	return true
}

// whole is the number of a value that is a whole one.
func whole(v record.Value) (int64, bool) { return integer(v.Bytes()) }

func (e *Env) setTime(r *record.Record, v record.Value) bool {
	if r.Time != 0 {
		return false
	}
	b := v.Bytes()
	if v.IsJSON() && len(b) > 0 && b[0] == '"' {
		b = b[1 : len(b)-1] // times have nothing to escape
	}
	at, ok := e.moment(b)
	if !ok && v.IsJSON() && len(b) > 0 && b[0] == '{' {
		at, ok = parted(b)
	}
	if ok {
		r.Time = at
	}
	return ok
}

// moment reads a time of one of the usual forms, and nothing after it.
func (e *Env) moment(b []byte) (int64, bool) {
	c := cursor{b, 0}
	if at, ok := c.dateTime(e); ok {
		return at, c.i == len(b)
	}
	c.i = 0
	seconds, ok := c.digits(19)
	if !ok {
		return 0, false
	}
	nanos := 0
	if c.take('.') {
		if nanos, ok = c.fraction(); !ok {
			return 0, false
		}
	}
	if c.i == len(b) {
		return epoch(seconds, nanos)
	}
	f, err := strconv.ParseFloat(string(b), 64) // 1.7e9
	if err != nil || f < 1e9 || f > 9e18 {
		return 0, false
	}
	return epoch(int64(f), int(1e9*(f-float64(int64(f)))))
}

// parted reads {"epochSecond":…,"nanoOfSecond":…} of log4j and
// {"seconds":…,"nanos":…} of Google Cloud.
func parted(object []byte) (int64, bool) {
	members, ok := rawjson.Members(object, make([]rawjson.Member, 0, 4))
	if !ok {
		return 0, false
	}
	var seconds, nanos int64
	found := false
	for _, m := range members {
		n, isNumber := integer(m.Value)
		switch string(rawjson.Unquote(m.Name)) {
		case "epochSecond", "seconds":
			seconds, found = n, isNumber
		case "nanoOfSecond", "nanos":
			nanos = n
		}
	}
	if !found || seconds > 9e9 || nanos >= 1e9 {
		return 0, false
	}
	return seconds*1e9 + nanos, true
}

// setID takes the id of a trace or span: hexadecimal digits, not all of them 0.
func setID(to *[]byte, v record.Value, length int) bool {
	t, ok := text(v)
	if at := bytes.LastIndexByte(t, '/'); at >= 0 { // projects/…/traces/id
		t = t[at+1:]
	}
	if !ok || len(*to) > 0 || !isID(t, length) {
		return false
	}
	*to = t
	return true
}

func isID(b []byte, length int) bool {
	if len(b) != length {
		return false
	}
	zero := true
	for _, c := range b {
		if !isDigit(c) && !(c >= 'a' && c <= 'f') {
			return false
		}
		zero = zero && c == '0'
	}
	return !zero
}

// traceparent is the header of W3C Trace Context: 00-trace-span-flags.
func traceparent(r *record.Record, v record.Value) bool {
	t, ok := text(v)
	if !ok || len(t) != 55 || t[2] != '-' || t[35] != '-' || t[52] != '-' || len(r.TraceID) > 0 || !isID(t[3:35], 32) || !isID(t[36:52], 16) {
		return false
	}
	r.TraceID, r.SpanID = t[3:35], t[36:52]
	r.Sampled = (t[54]-'0')&1 == 1
	return true
}

// caller is file:line.
func caller(r *record.Record, v record.Value) bool {
	t, ok := text(v)
	at := bytes.LastIndexByte(t, ':')
	if !ok || at < 1 {
		return false
	}
	line, ok := integer(t[at+1:])
	return ok && r.Set([]byte("code.file.path"), record.Text(t[:at])) && r.Set([]byte("code.line.number"), record.Int(line))
}

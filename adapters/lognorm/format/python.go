package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Python reads what logging.basicConfig writes:
//
//	WARNING:root:a message
func Python(_ *Env, line []byte, r *record.Record) bool {
	level, rest, found := bytes.Cut(line, []byte{':'})
	if !found || len(level) < 4 || level[0] < 'A' || level[0] > 'Z' {
		return false
	}
	logger, message, found := bytes.Cut(rest, []byte{':'})
	if !found || len(logger) == 0 || len(logger) > 128 || bytes.IndexByte(logger, ' ') >= 0 {
		return false
	}
	switch string(level) {
	case "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL":
	default:
		return false
	}
	r.Severity, _ = record.ParseLevel(level)
	r.Level, r.Scope = level, logger
	r.Body = record.Text(message)
	return true
}

package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// An accessLog collects lines and writes many of them at once: a system call
// for each would cost a tenth of a request. A line reaches the file within
// flushEvery. When the file is too slow lines are dropped and counted; requests
// never wait for it.
type accessLog struct {
	out     io.WriteCloser
	dropped prometheus.Counter
	full    chan struct{} // there is enough to write

	mu      sync.Mutex // guards the buffers
	lines   []byte
	spare   []byte
	pending int // bytes being written
}

const (
	flushEvery  = 250 * time.Millisecond
	flushAt     = 64 << 10
	maxBuffered = 4 << 20
)

// An entry is one request, as the log tells of it.
type entry struct {
	at       time.Time
	took     time.Duration
	protocol protocol
	client   string
	method   []byte
	host     []byte
	target   []byte
	agent    []byte
	route    string
	upstream string
	trace    []byte // the trace id
	status   int
	sent     int64 // bytes of body
	retries  int
	waited   time.Duration // for the upstream
}

// openAccessLog opens stdout, a file, or nothing: then the log is nil.
func openAccessLog(where string, dropped prometheus.Counter) (*accessLog, error) {
	l := &accessLog{dropped: dropped, full: make(chan struct{}, 1)}
	switch where {
	case "off":
		return nil, nil
	case "stdout":
		l.out = keepOpen{os.Stdout}
	default:
		f, err := os.OpenFile(where, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, fmt.Errorf("open access log: %w", err)
		}
		l.out = f
	}
	return l, nil
}

// keepOpen is a file that is not ours to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// add enters a request. A nil log takes none.
func (l *accessLog) add(e *entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if len(l.lines)+l.pending > maxBuffered {
		l.mu.Unlock()
		l.dropped.Inc()
		return
	}
	before := len(l.lines)
	l.lines = e.append(l.lines)
	enough := before < flushAt && len(l.lines) >= flushAt
	l.mu.Unlock()
	if enough {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// run writes until ctx is done, and then what is left. A file that cannot be
// written, because the disk is full, say, loses lines and stops no request.
func (l *accessLog) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	defer l.out.Close()
	for {
		select {
		case <-ctx.Done():
			l.flush(log)
			return
		case <-tick.C:
		case <-l.full:
		}
		l.flush(log)
	}
}

func (l *accessLog) flush(log *slog.Logger) {
	l.mu.Lock()
	lines := l.lines
	l.lines, l.spare, l.pending = l.spare[:0], nil, len(lines)
	l.mu.Unlock()
	var err error
	if len(lines) > 0 {
		_, err = l.out.Write(lines)
	}
	l.mu.Lock()
	l.pending = 0
	if cap(lines) <= 4*flushAt { // a larger one was for a burst
		l.spare = lines[:0]
	}
	l.mu.Unlock()
	if err != nil {
		lost := bytes.Count(lines, []byte{'\n'})
		l.dropped.Add(float64(lost))
		log.Error("access log not written", "lines", lost, "error", err)
	}
}

// append writes the entry as a line of JSON.
func (e *entry) append(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = e.at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","msg":"request","client":"`...)
	b = append(b, e.client...)
	b = append(b, `","protocol":"`...)
	b = append(b, protocolNames[e.protocol]...)
	b = append(b, `","method":`...)
	b = quote(b, e.method)
	b = append(b, `,"host":`...)
	b = quote(b, e.host)
	b = append(b, `,"target":`...)
	b = quote(b, e.target)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.sent, 10)
	b = append(b, `,"ms":`...)
	b = millis(b, e.took)
	if e.upstream != "" {
		b = append(b, `,"route":`...)
		b = quote(b, []byte(e.route))
		b = append(b, `,"upstream":`...)
		b = quote(b, []byte(e.upstream))
		b = append(b, `,"upstream_ms":`...)
		b = millis(b, e.waited)
	}
	if e.retries > 0 {
		b = append(b, `,"retries":`...)
		b = strconv.AppendInt(b, int64(e.retries), 10)
	}
	if len(e.trace) > 0 {
		b = append(b, `,"trace_id":"`...)
		b = append(b, e.trace...)
		b = append(b, '"')
	}
	b = append(b, `,"user_agent":`...)
	b = quote(b, e.agent)
	return append(b, '}', '\n')
}

// millis writes a duration in milliseconds with three places.
func millis(b []byte, d time.Duration) []byte {
	micros := d.Microseconds()
	b = strconv.AppendInt(b, micros/1000, 10)
	rest := micros % 1000
	return append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

const hexDigits = "0123456789abcdef"

// quote writes a JSON string of what a client sent, which may be anything.
func quote(b, s []byte) []byte {
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRune(s[i:]); r != utf8.RuneError {
				i += size
				continue
			}
		}
		b = append(b, s[plain:i]...)
		if c >= utf8.RuneSelf {
			b = append(b, `\ufffd`...)
		} else {
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i += size
		plain = i
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

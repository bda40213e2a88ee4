// Package accesslog writes one JSON line per request without a system call per request.
//
// A line is appended to a buffer under a short lock, and a background goroutine writes the buffer every
// tenth of a second or when it is half full. A destination that does not keep up never holds up a request:
// lines that find the buffer full are dropped, counted, and the log itself says how many.
package accesslog

import (
	"context"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// The buffer's bound and how long a line waits at most.
const (
	bufferSize = 256 << 10
	flushEvery = 100 * time.Millisecond
)

// Entry is one request.
type Entry struct {
	Time     time.Time
	Client   netip.Addr
	Method   string
	Host     string
	Path     string
	Query    string
	HasQuery bool
	Status   int
	Bytes    int64
	Duration time.Duration
	Cache    string // the outcome, such as hit
	Route    string
	Upstream string // the replica that answered, if one was asked
	TraceID  string
	Limited  string // who was limited, if the request was refused
}

// Log is an access log. Make it with [New]; a nil *Log writes nothing.
type Log struct {
	out    io.Writer
	sample float64
	prefix []byte

	mu      sync.Mutex // guards the rest
	buf     []byte
	spare   []byte
	second  int64  // the Unix second that stamp holds
	stamp   []byte // formatted up to the second
	dropped atomic.Uint64
	kick    chan struct{}
}

// New makes a log. sample is the share of requests below status 400 that are written; all others are.
func New(out io.Writer, sample float64, service, instance string) *Log {
	if sample <= 0 {
		return nil
	}
	prefix := append(appendString([]byte(`,"level":"INFO","msg":"request","service":`), service), `,"instance":`...)
	prefix = appendString(prefix, instance)
	return &Log{out: out, sample: sample, prefix: prefix, buf: make([]byte, 0, bufferSize), spare: make([]byte, 0, bufferSize),
		kick: make(chan struct{}, 1)}
}

// Dropped is how many lines were lost because the destination was too slow.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Add appends the line of one request.
func (l *Log) Add(e *Entry) {
	if l == nil || e.Status < 400 && l.sample < 1 && rand.Float64() >= l.sample {
		return
	}
	l.mu.Lock()
	if len(l.buf)+1024+len(e.Path)*6+len(e.Query)*6+len(e.Host) > cap(l.buf) {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	was := len(l.buf)
	l.buf = l.line(l.buf, e)
	half := was < bufferSize/2 && len(l.buf) >= bufferSize/2
	l.mu.Unlock()
	if half {
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

func (l *Log) line(b []byte, e *Entry) []byte {
	b = append(b, `{"time":"`...)
	b = l.time(b, e.Time)
	b = append(b, '"')
	b = append(b, l.prefix...)
	b = append(b, `,"client":"`...)
	b = e.Client.AppendTo(b)
	b = append(b, `","method":`...)
	b = appendString(b, e.Method)
	b = append(b, `,"host":`...)
	b = appendString(b, e.Host)
	b = append(b, `,"path":`...)
	b = appendString(b, e.Path)
	if e.HasQuery {
		b = append(b, `,"query":`...)
		b = appendString(b, e.Query)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, `,"duration_us":`...)
	b = strconv.AppendInt(b, e.Duration.Microseconds(), 10)
	b = append(b, `,"cache":"`...)
	b = append(b, e.Cache...)
	b = append(b, '"')
	b = appendOptional(b, `,"route":`, e.Route)
	b = appendOptional(b, `,"upstream":`, e.Upstream)
	b = appendOptional(b, `,"trace_id":`, e.TraceID)
	b = appendOptional(b, `,"limited":`, e.Limited)
	return append(b, '}', '\n')
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

// time appends RFC 3339 with microseconds in UTC; the part up to the second is formatted once a second.
func (l *Log) time(b []byte, t time.Time) []byte {
	if sec := t.Unix(); sec != l.second || l.stamp == nil {
		l.second = sec
		l.stamp = t.UTC().AppendFormat(l.stamp[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, l.stamp...)
	micro := t.Nanosecond() / 1000
	for scale := 100000; scale > 0; scale /= 10 {
		b = append(b, byte('0'+micro/scale%10))
	}
	return append(b, 'Z')
}

// appendString appends a JSON string; what is not valid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// Run writes the buffer until ctx ends, and then what is left.
func (l *Log) Run(ctx context.Context) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.kick:
		case <-ctx.Done():
			l.flush()
			return nil
		}
		l.flush()
	}
}

// flush exchanges the buffers and writes the full one. Only Run calls it.
func (l *Log) flush() {
	l.mu.Lock()
	full := l.buf
	l.buf, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	if len(full) > 0 {
		if _, err := l.out.Write(full); err != nil {
			l.dropped.Add(1)
		}
	}
	l.mu.Lock()
	l.spare = full[:0]
	l.mu.Unlock()
}

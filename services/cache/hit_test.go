package cache

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/accesslog"
)

// A pipeline asks for one stored kilobyte again and again over a connection. Its own work is one write for
// many requests and no allocation, so that what is counted is the cache's.
type pipeline struct {
	tb      testing.TB
	conn    io.Writer
	answers *bufio.Reader
	depth   int
	batch   []byte
}

const hitSize = 1 << 10

func newPipeline(tb testing.TB, depth int) *pipeline {
	w := newWorld(tb, settings{options: func(o *Options) { o.Access = accesslog.New(io.Discard, 1, "cache", "c1") }})
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=3600")
		_, _ = rw.Write(make([]byte, hitSize))
	})
	const request = "GET /dog HTTP/1.1\r\nHost: dictionary.localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
	c, answers := w.raw("")
	must(tb, c.SetDeadline(time.Time{}))
	p := &pipeline{tb: tb, conn: c, answers: answers, depth: depth, batch: bytes.Repeat([]byte(request), depth)}
	p.ask(1) // the miss
	return p
}

// ask sends n requests, at most a batch, and reads the answers.
func (p *pipeline) ask(n int) {
	_, err := p.conn.Write(p.batch[:len(p.batch)/p.depth*n])
	must(p.tb, err)
	for range n {
		p.answer()
	}
}

// answer reads one answer, whose body has the known size.
func (p *pipeline) answer() {
	for first := true; ; first = false {
		line, err := p.answers.ReadSlice('\n')
		must(p.tb, err)
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			p.tb.Fatalf("answered %q", line)
		}
		if len(line) == 2 {
			break
		}
	}
	_, err := p.answers.Discard(hitSize)
	must(p.tb, err)
}

func TestAHitAllocatesNothing(t *testing.T) {
	const batches, depth = 200, 16
	p := newPipeline(t, depth)
	p.ask(depth) // grows what grows once
	if n := testing.AllocsPerRun(batches, func() { p.ask(depth) }); n > 0 {
		t.Errorf("%v allocations per %d hits", n, depth)
	}
}

// BenchmarkHit counts the CPU of this process, the little of the client included.
func BenchmarkHit(b *testing.B) {
	const depth = 16
	p := newPipeline(b, depth)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for left := b.N; left > 0; left -= depth {
		p.ask(min(left, depth))
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the user and system time of this process.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	must(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

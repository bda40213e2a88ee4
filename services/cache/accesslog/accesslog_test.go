package accesslog

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLinesAreJSONWhateverTheClientSends(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, 1, "cache", "c\"1")
	at := time.Date(2026, 11, 21, 10, 0, 0, 7000, time.UTC)
	l.Add(&Entry{Time: at, Client: netip.MustParseAddr("::1"), Method: "GET", Path: "/\"\\\x01\xff\u00e9", Query: "a", HasQuery: true, Status: 200, Cache: "hit"})
	l.Add(&Entry{Time: at, Status: 404, Duration: 1500 * time.Microsecond})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.Run(ctx)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var e struct {
		Time, Path, Instance, Client string
		Duration                     int `json:"duration_us"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || e.Path != "/\"\\\x01\ufffd\u00e9" || e.Time != "2026-11-21T10:00:00.000007Z" || e.Instance != "c\"1" || e.Client != "::1" {
		t.Errorf("%s: %+v %v", lines[0], e, err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || e.Duration != 1500 {
		t.Errorf("%s: %+v %v", lines[1], e, err)
	}
}

func TestAFullBufferDropsAndCounts(t *testing.T) {
	l := New(io.Discard, 1, "cache", "c1")
	for range 10000 {
		l.Add(&Entry{Time: time.Now(), Status: 200, Path: "/x"})
	}
	if l.Dropped() == 0 {
		t.Error("nothing dropped")
	}
}

func TestSamplingKeepsErrors(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, 0.000001, "cache", "c1")
	for range 100 {
		l.Add(&Entry{Time: time.Now(), Status: 200})
		l.Add(&Entry{Time: time.Now(), Status: 500})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.Run(ctx)
	if n := strings.Count(out.String(), "\n"); n < 100 || n > 105 {
		t.Errorf("%d lines", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	l := New(io.Discard, 1, "cache", "c1")
	e := &Entry{Time: time.Now(), Client: netip.MustParseAddr("127.0.0.1"), Method: "GET", Host: "dictionary.localhost", Path: "/dog", Status: 200, Cache: "hit", Route: "words"}
	b.ReportAllocs()
	for b.Loop() {
		l.Add(e)
		if len(l.buf) > bufferSize/2 {
			l.buf = l.buf[:0]
		}
	}
}

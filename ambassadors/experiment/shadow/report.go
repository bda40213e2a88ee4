package shadow

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/measure"
)

// maxRecent bounds the mismatches that are remembered.
const maxRecent = 50

// maxPath bounds what is kept of a path. Queries are not kept: they may be personal.
const maxPath = 200

// A Mismatch is a copy that was answered differently.
type Mismatch struct {
	Time       time.Time `json:"time"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Verdict    string    `json:"verdict"`
	Why        string    `json:"why"`
	Production Seen      `json:"production"`
	Shadow     Seen      `json:"shadow"`
}

// Seen is an answer in short.
type Seen struct {
	Status  int     `json:"status"`
	Millis  float64 `json:"ms"`
	Bytes   int     `json:"bytes"`
	Digest  string  `json:"digest"` // the beginning of the SHA-256 of the body as it came
	TooLong bool    `json:"too_long,omitempty"`
}

func seen(a *Answer) Seen {
	return Seen{Status: a.Status, Millis: float64(a.Latency.Microseconds()) / 1000, Bytes: len(a.Body), Digest: short(a.Body), TooLong: a.TooLong}
}

func mismatch(j Job, got Answer, v verdict, why string) Mismatch {
	path := j.Request.URL.Path
	return Mismatch{Time: time.Now().UTC(), Method: j.Request.Method, Path: path[:min(len(path), maxPath)],
		Verdict: verdictNames[v], Why: why, Production: seen(&j.Answer), Shadow: seen(&got)}
}

// ring keeps the newest mismatches.
type ring struct {
	mu   sync.Mutex // guards both below
	all  [maxRecent]Mismatch
	next int // ever added
}

func (r *ring) add(m Mismatch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[r.next%maxRecent] = m
	r.next++
}

// newest lists them, the newest first.
func (r *ring) newest() []Mismatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Mismatch, 0, min(r.next, maxRecent))
	for i := range cap(list) {
		list = append(list, r.all[(r.next-1-i)%maxRecent])
	}
	return list
}

// A Report is what a shadow has seen.
type Report struct {
	Verdicts   map[string]uint64 // by name
	Dropped    uint64            // copies for which there was no room
	Skipped    uint64            // requests whose body was too long to copy
	Shadow     measure.Summary
	Production measure.Summary // of the same requests
	Since      time.Time
	Recent     []Mismatch // the newest first
}

// Report returns what was seen so far.
func (s *Shadow) Report() Report {
	r := Report{Verdicts: map[string]uint64{}, Dropped: s.dropped.Load(), Skipped: s.skipped.Load(), Recent: s.recent.newest()}
	for v := range verdicts {
		r.Verdicts[verdictNames[v]] = s.counts[v].Load()
	}
	r.Shadow, r.Since = s.shadowed.Whole()
	r.Production, _ = s.production.Whole()
	return r
}

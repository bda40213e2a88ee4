package lognorm

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/sources"
)

// stats is what is known of one source, for people and for metrics.
type stats struct {
	name string

	mu    sync.Mutex // guards all below
	state Source
}

// Source is the state of one source, as GET /v1/sources tells it. The counts are
// of what was delivered since the process started.
type Source struct {
	Name      string          `json:"name"`
	Kind      string          `json:"kind"`   // files, stdin, slowlog or rest
	Format    string          `json:"format"` // configured
	Lines     uint64          `json:"lines"`  // of records: parsed and unparsed ones
	Records   uint64          `json:"records"`
	Unparsed  uint64          `json:"unparsed"`   // of the lines, those passed on as they stood
	Blank     uint64          `json:"blank"`      // lines without content, for which there is no record
	HoleBytes uint64          `json:"hole_bytes"` // NUL bytes that nobody wrote
	Truncated uint64          `json:"truncated"`  // how often a file was begun again
	Lost      map[string]Loss `json:"lost"`       // by reason
	LagBytes  int64           `json:"lag_bytes"`  // read or not, what is not delivered yet is more by the buffer
	Waiting   int             `json:"waiting"`    // files that wait until others are closed
	Files     []File          `json:"files"`
	Error     string          `json:"error,omitempty"` // the last one
	ErrorTime *time.Time      `json:"error_time,omitempty"`
}

// File is the state of a file.
type File struct {
	Path     string `json:"path"`
	ID       string `json:"id"`     // the first part of log.record.uid
	Offset   int64  `json:"offset"` // read so far
	Size     int64  `json:"size"`
	LagBytes int64  `json:"lag_bytes"`
	Current  bool   `json:"current"` // its name is matched; otherwise it was rotated
	Open     bool   `json:"open"`
}

// Loss is what is known to be lost for one reason.
type Loss struct {
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`   // at least
	Records uint64 `json:"records"` // of sources that have no bytes, or for the collector
}

func newStats(s sources.Source) *stats {
	return &stats{name: s.Name, state: Source{Name: s.Name, Kind: s.Kind(), Format: s.Format, Lost: map[string]Loss{}, Files: []File{}}}
}

// delivered counts a batch that has left.
func (s *stats) delivered(c deliver.Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Lines += uint64(c.Lines)
	s.state.Records += uint64(c.Records)
	s.state.Unparsed += uint64(c.Unparsed)
	s.state.Blank += uint64(c.Blank)
	s.state.HoleBytes += uint64(c.Hole)
}

func (s *stats) lost(why string, bytes int64, records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.state.Lost[why]
	l.Events++
	l.Bytes += uint64(bytes)
	l.Records += uint64(records)
	s.state.Lost[why] = l
}

func (s *stats) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	s.state.Error, s.state.ErrorTime = err.Error(), &now
}

// follow takes over the state of a source's files.
func (s *stats) follow(set *follow.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Files = s.state.Files[:0]
	s.state.LagBytes = 0
	for _, f := range set.Files() {
		s.state.Files = append(s.state.Files, File{Path: f.Path, ID: f.ID, Offset: f.Offset(), Size: f.Size(), LagBytes: f.Lag(), Current: f.Current, Open: f.Open()})
		s.state.LagBytes += f.Lag()
	}
	s.state.Waiting, s.state.Truncated = set.Waiting(), set.Truncated()
}

// snapshot is the state now.
func (s *stats) snapshot() Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := s.state
	copied.Files = append([]File{}, s.state.Files...)
	copied.Lost = map[string]Loss{}
	for why, l := range s.state.Lost {
		copied.Lost[why] = l
	}
	return copied
}

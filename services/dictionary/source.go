package dictionary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/health"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/dictionary/download"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// source loads the data and holds it once it is loaded. The mapping is left to the
// end of the process: a request that outlives the drain may still read from it.
type source struct {
	file    download.File
	backoff retry.Backoff
	log     *slog.Logger
	metrics *metrics
	gate    *health.Gate
	words   atomic.Pointer[wordnet.Dictionary]
}

func newSource(cfg Config, p *process.Process, m *metrics) *source {
	return &source{
		file: cfg.source(cfg.CacheDir), backoff: retry.Backoff{Base: cfg.RetryBase, Max: cfg.RetryMax}, log: p.Log, metrics: m,
		gate: p.Health.Gate("data", "the data is not loaded yet"),
	}
}

// get returns the dictionary, or nil while it is not loaded.
func (s *source) get() *wordnet.Dictionary { return s.words.Load() }

// load tries until the data is there or ctx ends. What is wrong is shown by
// /readyz meanwhile, and no reason is final: a wrong file can be replaced.
func (s *source) load(ctx context.Context) error {
	if s.file.Dir == "" {
		defer s.temporary()()
	}
	d, err := download.New(s.file)
	if err != nil {
		return err
	}
	defer d.Close()
	for n := 0; ; n++ {
		began := time.Now()
		err := s.try(ctx, d)
		s.metrics.loads.WithLabelValues(outcome(err)).Inc()
		if err == nil {
			s.metrics.loadSeconds.Set(time.Since(began).Seconds())
			s.gate.Open()
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		wait := s.backoff.Delay(n)
		s.gate.Close(err.Error())
		s.log.Warn("data was not loaded", "url", s.file.URL, "error", err, "again_in", wait.String())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// temporary makes a folder that is needed until the data is mapped, and returns
// what removes it: a mapped file needs no name, and a process that is killed later
// leaves nothing behind. Without a folder the data is kept in memory.
func (s *source) temporary() (remove func()) {
	dir, err := os.MkdirTemp("", "dictionary-")
	if err != nil {
		s.log.Warn("no folder can be written; the data is kept in memory", "error", err)
		return func() {}
	}
	s.file.Dir = dir
	return func() {
		if err := os.RemoveAll(dir); err != nil {
			s.log.Warn("temporary folder was not removed", "folder", dir, "error", err)
		}
	}
}

func (s *source) try(ctx context.Context, d *download.Downloader) error {
	began := time.Now()
	f, err := d.Fetch(ctx)
	if err != nil {
		return err
	}
	words, err := wordnet.Map(f.File)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("open the data: %w", err)
	}
	s.words.Store(words)
	s.metrics.bytes.Set(float64(f.Size))
	s.log.Info("data loaded", "from", string(f.From), "bytes", f.Size, "words", words.Len(), "sha256", s.file.SHA256, "ms", time.Since(began).Milliseconds())
	return nil
}

// outcome is the closed set of results of a try, for the metric.
func outcome(err error) string {
	switch {
	case err == nil:
		return "loaded"
	case errors.Is(err, download.ErrDigest):
		return "wrong_digest"
	case errors.Is(err, download.ErrDamaged), errors.Is(err, wordnet.ErrCorrupt):
		return "damaged"
	case errors.Is(err, download.ErrTooBig):
		return "too_big"
	case errors.Is(err, download.ErrAnswer):
		return "unusable_answer"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "unreachable"
}

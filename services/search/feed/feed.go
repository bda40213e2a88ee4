package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

// Bounds of a feed.
const (
	batchBytes = 1<<20 - 4<<10 // of a request: a root takes a mebibyte
	named      = 20            // wrong lines that are in the log; further ones are only counted
	patience   = 100           // wrong lines that are not yet too many, wherever they stand
)

// Progress is how far a feed is.
type Progress struct {
	Corpus    string `json:"corpus"`
	Mark      string `json:"mark"`
	State     string `json:"state"`     // one of the states below
	Lines     int64  `json:"lines"`     // read
	Documents int64  `json:"documents"` // that roots have acknowledged
	Wrong     int64  `json:"wrong"`     // lines that are no documents
}

// States of a feed.
const (
	Asking  = "asking" // whether the corpus is in
	Feeding = "feeding"
	Done    = "done"  // it is in, by this feed
	Known   = "known" // it was in
)

// feed brings a corpus in.
type feed struct {
	cfg   Config
	roots *http.Client // of the pool of roots
	files *http.Client // of the corpus
	log   *slog.Logger

	mu   sync.Mutex // guards all below
	seen Progress
}

func (f *feed) progress() Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func (f *feed) note(change func(*Progress)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.seen)
}

// run brings the corpus in, if it is not, and returns when it is.
func (f *feed) run(ctx context.Context) error {
	known, err := f.known(ctx)
	if err != nil {
		return err
	}
	if known {
		f.note(func(p *Progress) { p.State = Known })
		f.log.Info("the corpus is in already", "mark", f.cfg.mark())
		return nil
	}
	began := time.Now()
	err = f.again(ctx, "read the corpus", func(ctx context.Context) error {
		f.note(func(p *Progress) { p.State, p.Lines, p.Documents, p.Wrong = Feeding, 0, 0, 0 })
		return f.pass(ctx)
	})
	if err != nil {
		return err
	}
	if _, err := f.ask(ctx, http.MethodPut, f.markPath(), nil, 0); err != nil {
		return err
	}
	f.note(func(p *Progress) { p.State = Done })
	p := f.progress()
	f.log.Info("the corpus is in", "mark", p.Mark, "documents", p.Documents, "wrong", p.Wrong, "seconds", time.Since(began).Seconds())
	return nil
}

// again repeats what may be repeated for ever.
func (f *feed) again(ctx context.Context, what string, do func(context.Context) error) error {
	return retry.Do(ctx, retry.Policy{
		Backoff: retry.Backoff{Base: 100 * time.Millisecond, Max: 5 * time.Second},
		Before: func(attempt int, err error, wait time.Duration) {
			if attempt == 1 || wait > time.Second {
				f.log.Warn("it is tried again", "what", what, "attempt", attempt, "error", err)
			}
		},
	}, do)
}

func (f *feed) markPath() string { return "/v1/marks/" + url.PathEscape(f.cfg.mark()) }

// known asks whether the corpus is in.
func (f *feed) known(ctx context.Context) (bool, error) {
	status, err := f.ask(ctx, http.MethodGet, f.markPath(), nil, http.StatusNotFound)
	return status == http.StatusOK, err
}

// ask sends a request until it is answered with 200 or one other status, and returns which.
func (f *feed) ask(ctx context.Context, method, path string, lines []byte, other int) (status int, err error) {
	err = f.again(ctx, method+" "+path, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, "http://search"+path, bytes.NewReader(lines))
		if err != nil {
			return retry.Stop(err)
		}
		if lines != nil {
			req.Header.Set("Content-Type", "application/jsonl")
		}
		resp, err := f.roots.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if status = resp.StatusCode; status == http.StatusOK || status == other {
			return nil
		}
		return refused(method+" "+path, resp)
	})
	return status, err
}

// refused is an answer that is not wanted, as an error: one of retry.Stop where the same request would get the same answer.
func refused(what string, resp *http.Response) error {
	var p struct{ Detail string }
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<10)) // what cannot be read has no detail
	_ = json.Unmarshal(text, &p)
	err := fmt.Errorf("%s: %s: %s", what, resp.Status, p.Detail)
	if !passing(resp.StatusCode) {
		return retry.Stop(err)
	}
	if wait, given := retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now()); given {
		err = retry.After(err, min(wait, longestWait))
	}
	return err
}

// longestWait is what a root's Retry-After is believed.
const longestWait = 10 * time.Second

// passing tells whether a status may be another one the next time.
func passing(status int) bool {
	return status/100 == 5 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// errTooManyWrong says that this is hardly the corpus that was meant.
var errTooManyWrong = errors.New("more than one line in a hundred is no document: this is not the corpus that was meant")

// pass reads the corpus from its beginning and writes it.
func (f *feed) pass(ctx context.Context) error {
	corpus, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer corpus.Close()
	var wrong int64
	l := newLines(corpus, func(number int64, why string) {
		if wrong++; wrong <= named {
			f.log.Warn("a line is no document", "line", number, "why", why)
		}
	})
	b := batch{feed: f}
	for {
		d, err := l.next()
		f.note(func(p *Progress) { p.Lines, p.Wrong = l.number, wrong })
		tooMany := wrong*100 > l.number
		if tooMany && (wrong > patience || err == io.EOF) {
			return retry.Stop(fmt.Errorf("%d of %d lines: %w", wrong, l.number, errTooManyWrong))
		}
		if err == io.EOF {
			return b.flush(ctx)
		}
		if err != nil {
			err = fmt.Errorf("read the corpus after line %d: %w", l.number, err)
			if strings.HasPrefix(f.cfg.Corpus, "file:") {
				err = retry.Stop(err) // the file is as it is
			}
			return err
		}
		if err := b.add(ctx, d); err != nil {
			return err
		}
	}
}

// A batch gathers documents for a request.
type batch struct {
	feed  *feed
	body  bytes.Buffer
	count int
}

func (b *batch) add(ctx context.Context, d document.Document) error {
	line, err := json.Marshal(d)
	if err != nil {
		return retry.Stop(err)
	}
	if b.count == b.feed.cfg.Batch || b.body.Len()+len(line)+1 > batchBytes {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.body.Write(line)
	b.body.WriteByte('\n')
	b.count++
	return nil
}

// flush writes what was gathered. It is tried again until a root has it, or says that it never will.
func (b *batch) flush(ctx context.Context) error {
	if b.count == 0 {
		return nil
	}
	if _, err := b.feed.ask(ctx, http.MethodPost, "/v1/documents", b.body.Bytes(), 0); err != nil {
		return retry.Stop(err) // ask has tried it again for as long as that made sense
	}
	written := int64(b.count)
	b.feed.note(func(p *Progress) { p.Documents += written })
	b.body.Reset()
	b.count = 0
	return nil
}

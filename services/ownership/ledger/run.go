package ledger

import (
	"context"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/ownership/ledger/book"
)

// Run keeps the ledger until ctx ends, or until a file of it cannot be written:
// only a restart tells then what is in it.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	options := book.Options{
		Limits: book.Limits{Accounts: cfg.Accounts, Entries: cfg.Entries, File: int64(cfg.FileSize)},
		Blind:  cfg.Lesson == NoCheck,
	}
	books, err := openShelf(cfg.Dir, cfg.Shards, options)
	if err != nil {
		return err
	}
	defer books.close() // what was answered is on disk
	s := &service{books: books, broken: make(chan error, 1)}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if cfg.Check == "store" {
		store, err := cfg.Store.Open(ctx, p.Log)
		if err != nil {
			p.Close()
			return err
		}
		defer store.Close()
		s.store, s.timeout = store, cfg.Store.Timeout()
	}
	if cfg.Lesson != "" {
		p.Log.Warn("LESSON: this ledger records whatever it is asked for, by owners of the past too: do not use it for anything else", "lesson", cfg.Lesson)
	}
	s.log, s.metrics = p.Log, newMetrics(p.Metrics)
	p.Go("books", func(ctx context.Context) error {
		select {
		case err := <-s.broken:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	e := api.New(p)
	s.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// retryAfter is what is proposed to those who come too early.
const retryAfter = time.Second

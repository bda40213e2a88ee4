package lognorm

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/poll"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// polled is a source that is asked.
type polled struct {
	poller poll.Poller
	every  time.Duration
	cursor json.RawMessage
	sink   *sink
	stats  *stats
}

// run asks until ctx is done. A source that is away is asked at its interval
// again: it is nobody's fault but its own, and is told in the state.
func (p *polled) run(ctx context.Context) error {
	defer p.poller.Close()
	for ctx.Err() == nil {
		p.ask(ctx)
		_ = retry.Sleep(ctx, p.every) // the loop asks ctx
	}
	return nil
}

func (p *polled) ask(ctx context.Context) {
	after, missed, err := p.poll(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.stats.failed(err)
		}
		_ = p.sink.send(ctx) // what came before the error; it will come again, with the same identity
		return
	}
	if missed > 0 {
		p.stats.lost("overwritten", 0, missed)
	}
	if string(after) == string(p.cursor) {
		return
	}
	if p.sink.ready(ctx) == nil {
		p.sink.batch.Cursor, p.cursor = after, after
		_ = p.sink.send(ctx) // fails when the process ends; it is asked for again then
	}
}

// poll asks once. That a client panics over an answer that is none must not end
// the other sources.
func (p *polled) poll(ctx context.Context) (after json.RawMessage, missed int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the answer cannot be read: %v", r)
		}
	}()
	return p.poller.Poll(ctx, time.Now(), p.cursor, func(r *record.Record) error {
		if err := p.sink.ready(ctx); err != nil {
			return err
		}
		p.sink.add(r, 1, true)
		if p.sink.batch.Full() {
			return p.sink.send(ctx)
		}
		return nil
	})
}

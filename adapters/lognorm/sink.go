package lognorm

import (
	"context"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// sink encodes the records of one source into batches. It belongs to the
// goroutine of the source.
type sink struct {
	queue *deliver.Queue
	stats *stats
	line  record.Line
	otlp  *record.OTLP // nil without a collector

	batch  *deliver.Batch // nil until there is something to put into it
	before []follow.Change
}

// open tells that there is a batch.
func (s *sink) open() bool { return s.batch != nil }

// ready makes sure that there is a batch. It waits while the outputs are behind.
func (s *sink) ready(ctx context.Context) error {
	if s.batch != nil {
		return nil
	}
	b, err := s.queue.Take(ctx)
	if err != nil {
		return err
	}
	b.Source, b.Done = s.stats.name, s.stats.delivered
	s.batch = b
	return nil
}

// add encodes a record. The sink must be ready.
func (s *sink) add(r *record.Record, lines int, parsed bool) {
	b := s.batch
	b.Lines = s.line.Append(b.Lines, r)
	if s.otlp != nil {
		b.Request = s.otlp.Append(b.Request, r)
	}
	b.Counts.Records++
	b.Counts.Lines += lines
	if !parsed {
		b.Counts.Unparsed += lines
	}
}

// changed notes what must be saved before further records leave. Nothing may be
// in the batch.
func (s *sink) changed(changes []follow.Change) { s.before = append(s.before, changes...) }

// send puts the batch on its way, if there is anything in it.
func (s *sink) send(ctx context.Context) error {
	if len(s.before) == 0 && (s.batch == nil || s.batch.Empty()) {
		return nil
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.batch.Before = append(s.batch.Before, s.before...)
	s.before = s.before[:0]
	if s.otlp != nil {
		s.batch.Request = s.otlp.End(s.batch.Request)
	}
	s.queue.Send(s.batch)
	s.batch = nil
	return nil
}

// origin sets the attributes that all records from one place have.
func (s *sink) origin(pairs ...[2]string) {
	s.line.Fixed = s.line.Fixed[:0]
	for _, p := range pairs {
		s.line.Fixed = record.AppendMember(s.line.Fixed, p[0], p[1])
	}
	if s.otlp == nil {
		return
	}
	s.otlp.Fixed = s.otlp.Fixed[:0]
	for _, p := range pairs {
		s.otlp.Fixed = record.AppendKeyValue(s.otlp.Fixed, p[0], p[1])
	}
}

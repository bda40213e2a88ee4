package lognorm

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// pipe is the source that is standard input. What was read of a pipe cannot be
// read again, so a crash loses what is in the buffer; until then a slow output
// makes the writer of the pipe wait.
type pipe struct {
	in     io.Reader
	reader *assemble.Reader
	sink   *sink
	stats  *stats
	timing timing
	id     string // of this run, for UIDs
	ended  func() // told when the input has ended

	state  assemble.State
	buf    []byte // read and not taken yet
	offset int64  // of its beginning
	record record.Record
	uid    []byte
}

// chunk is what was read at once.
type chunk struct {
	b   []byte
	err error
}

// run reads until the input or ctx ends.
func (p *pipe) run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	left := make(chan struct{})
	defer close(left)
	chunks := p.read(reading, left)
	grown := time.Now()
	idle := time.NewTicker(p.timing.trace)
	defer idle.Stop()
	for {
		select {
		case c := <-chunks:
			if len(c.b) > 0 {
				p.buf = append(p.buf, c.b...)
				grown = time.Now()
				if p.take(ctx, assemble.Wait) != nil {
					return p.finish()
				}
			}
			if c.err != nil {
				return p.end(c.err)
			}
		case now := <-idle.C:
			flush := assemble.Records
			if now.Sub(grown) >= p.timing.line {
				flush = assemble.All
			} else if now.Sub(grown) < p.timing.trace {
				continue
			}
			if p.take(ctx, flush) != nil {
				return p.finish()
			}
		case <-ctx.Done():
			stop()
			p.rest(chunks)
			return p.finish()
		}
	}
}

// rest takes the chunk that was being read when the process was told to end.
func (p *pipe) rest(chunks <-chan chunk) {
	patience := time.NewTimer(100 * time.Millisecond)
	defer patience.Stop()
	for {
		select {
		case c := <-chunks:
			p.buf = append(p.buf, c.b...)
			if c.err != nil {
				return
			}
		case <-patience.C: // the read blocks
			return
		}
	}
}

func (p *pipe) end(err error) error {
	if !errors.Is(err, io.EOF) {
		p.stats.failed(err)
	}
	if err := p.finish(); err != nil {
		return err
	}
	p.ended()
	return nil
}

// read reads in a goroutine of its own. It hands on one chunk at a time: a
// writer that is faster than the outputs has to wait. A read that blocks cannot
// be interrupted unless the input knows deadlines; it ends with the process.
func (p *pipe) read(ctx context.Context, left <-chan struct{}) <-chan chunk {
	chunks := make(chan chunk)
	if d, ok := p.in.(interface{ SetReadDeadline(time.Time) error }); ok {
		context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Now()) }) // not every descriptor can
	}
	go func() {
		bufs := [2][]byte{make([]byte, 64<<10), make([]byte, 64<<10)}
		for i := 0; ; i++ {
			b := bufs[i%2]
			n, err := p.in.Read(b)
			select {
			case chunks <- chunk{b[:n], err}:
			case <-left:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return chunks
}

// take makes records of what was read.
func (p *pipe) take(ctx context.Context, flush assemble.Flush) error {
	p.reader.Env.Now = time.Now()
	at := 0
	defer func() {
		p.offset += int64(at)
		p.buf = p.buf[:copy(p.buf, p.buf[at:])]
	}()
	for at < len(p.buf) {
		if err := p.sink.ready(ctx); err != nil {
			return err
		}
		result := p.reader.Next(&p.state, p.buf[at:], flush, &p.record)
		if result.Outcome == assemble.More && len(p.buf)-at >= window { // a record larger than may be
			result = p.reader.Next(&p.state, p.buf[at:], assemble.Records, &p.record)
		}
		if result.Outcome == assemble.More {
			break
		}
		p.emit(p.offset+int64(at), result)
		at += result.N
		if p.sink.batch.Full() {
			if err := p.sink.send(ctx); err != nil {
				return err
			}
		}
	}
	return p.sink.send(ctx)
}

func (p *pipe) emit(offset int64, result assemble.Result) {
	counts := &p.sink.batch.Counts
	switch result.Outcome {
	case assemble.Blank:
		counts.Blank += result.Lines
		return
	case assemble.Hole:
		counts.Hole += result.N
		return
	}
	p.record.Observed = p.reader.Env.Now.UnixNano()
	p.uid = append(append(p.uid[:0], p.id...), '-')
	p.uid = strconv.AppendInt(p.uid, offset, 10)
	p.record.UID = p.uid
	p.sink.add(&p.record, result.Lines, result.Outcome == assemble.Parsed)
}

// finish sends what was read.
func (p *pipe) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.timing.drain)
	defer cancel()
	return p.take(ctx, assemble.All)
}

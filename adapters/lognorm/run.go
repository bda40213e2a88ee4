package lognorm

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	_ "time/tzdata" // images have no database of time zones

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/journal"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/sources"
	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run reads the sources and writes their records until ctx ends, or, where
// standard input is the only source, until that ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	all, err := cfg.sources()
	if err != nil {
		return err
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	j, err := openJournal(cfg.StateFile)
	if err != nil {
		return err
	}
	defer j.Close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	n, err := build(p, j, cfg, all, end)
	if err != nil {
		p.Close()
		return err
	}
	var undelivered error
	p.Go("delivery", func(ctx context.Context) error {
		undelivered = n.writer.Run(ctx)
		return undelivered
	})
	p.Go("reading", n.read)
	e := api.New(p)
	routes(e, &status{n.stats})
	p.Serve(api.Server(e))
	if err := p.Run(ctx); err != nil {
		return err
	}
	return undelivered // while it ends, a process does not ask for the errors of its work
}

func openJournal(path string) (*journal.Journal, error) {
	if err := journal.MakeDir(path); err != nil {
		return nil, fmt.Errorf("LOGNORM_STATE_FILE: %w", err)
	}
	j, err := journal.Open(path)
	if err != nil {
		return nil, fmt.Errorf("LOGNORM_STATE_FILE: %w", err)
	}
	return j, nil
}

// normaliser is everything that runs.
type normaliser struct {
	process *process.Process
	config  Config
	journal *journal.Journal
	queue   *deliver.Queue
	writer  *deliver.Writer
	stats   []*stats
	sources []interface{ run(context.Context) error }
}

func build(p *process.Process, j *journal.Journal, cfg Config, all []sources.Source, end func()) (*normaliser, error) {
	if broken := j.Broken(); broken != nil {
		p.Log.Error("state is lost", "error", broken)
	}
	n := &normaliser{process: p, config: cfg, journal: j, queue: deliver.NewQueue(int(cfg.Buffer / deliver.Size))}
	n.writer = &deliver.Writer{Queue: n.queue, Out: cfg.Out, Journal: j, Every: cfg.SaveEvery, Lines: cfg.SaveLines, Patience: p.DrainTimeout(), Log: p.Log}
	var err error
	if n.writer.OTLP, err = exporter(p, &cfg); err != nil {
		return nil, err
	}
	if err := n.add(all, end); err != nil {
		return nil, err
	}
	if n.writer.OTLP != nil {
		n.writer.OTLP.Lost = n.lost
	}
	p.Metrics.MustRegister(newCollector(n.stats, n.queue))
	p.Health.Ready("state", func(context.Context) error {
		if n.writer.SaveError() != nil {
			return fmt.Errorf("the state file cannot be written: a restart would repeat lines")
		}
		return nil
	})
	return n, nil
}

// lost counts records that the collector did not get.
func (n *normaliser) lost(source string, records int, why string) {
	for _, s := range n.stats {
		if s.name == source {
			s.lost(why, 0, records)
		}
	}
}

// read runs the sources, and closes the queue when the last has ended.
func (n *normaliser) read(ctx context.Context) error {
	defer n.queue.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, len(n.sources))
	for _, s := range n.sources {
		wg.Go(func() {
			if err := s.run(ctx); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func (n *normaliser) add(all []sources.Source, end func()) error {
	for _, s := range all {
		st := newStats(s)
		n.stats = append(n.stats, st)
		out := n.sink(s, st)
		reader := assemble.NewReader(assemble.Options{Formats: s.Formats, Mode: assemble.Mode(s.Lines), MaxLine: int(n.config.MaxLine)}, format.NewEnv(s.Location))
		switch s.Kind() {
		case "files":
			n.sources = append(n.sources, n.tail(s, st, out, reader))
		case "stdin":
			if len(all) > 1 {
				end = func() {}
			}
			n.sources = append(n.sources, &pipe{in: n.input(), reader: reader, sink: out, stats: st, timing: n.timing(), id: follow.NewID(), ended: end})
		default:
			polled, err := n.polled(s, st, out)
			if err != nil {
				return fmt.Errorf("source %s: %w", s.Name, err)
			}
			n.sources = append(n.sources, polled)
		}
	}
	return nil
}

func (n *normaliser) sink(s sources.Source, st *stats) *sink {
	out := &sink{queue: n.queue, stats: st}
	if n.writer.OTLP != nil {
		out.otlp = &record.OTLP{}
	}
	for name, value := range s.Resource {
		out.line.Own = record.AppendMember(out.line.Own, name, value)
		if out.otlp != nil {
			out.otlp.Own = record.AppendKeyValue(out.otlp.Own, name, value)
		}
	}
	return out
}

func (n *normaliser) tail(s sources.Source, st *stats, out *sink, reader *assemble.Reader) *tail {
	saved, fresh := n.journal.Files(s.Name)
	log := n.process.Log.With("source", s.Name)
	set := follow.New(follow.Settings{
		Patterns: s.Files, FromEnd: s.Start == "end", MaxOpen: n.config.MaxFiles, Grace: n.config.Grace, Log: log,
		Lost: func(path string, bytes int64, why string) {
			log.Warn("lines were lost", "path", path, "bytes", bytes, "reason", why)
			st.lost(why, bytes, 0)
		},
		Failed: st.failed,
	}, saved, fresh)
	return &tail{set: set, reader: reader, sink: out, stats: st, timing: n.timing(), buf: make([]byte, window)}
}

func (n *normaliser) timing() timing {
	c := n.config
	return timing{poll: c.Poll, look: c.Look, trace: c.TraceWait, line: c.LineWait, grace: c.Grace, drain: n.process.DrainTimeout()}
}

// input is standard input. A pipe is opened once more, so that a read of it can
// be interrupted when the process ends.
func (n *normaliser) input() interface{ Read([]byte) (int, error) } {
	if n.config.In != nil {
		return n.config.In
	}
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		if again, err := os.Open("/dev/stdin"); err == nil {
			return again
		}
	}
	return os.Stdin
}

// askLimit bounds one question to a polled source.
const askLimit = 10 * time.Second

package reshard

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// Settings are those of the command.
type Settings struct {
	Brokers    []string
	LayoutFile string
	Roots      string // address of all roots
	Level      int64
	Linger     time.Duration
	Log        *slog.Logger
}

// Driver returns the driver that the settings describe. Only one that is to run has to know roots and leaves; it is closed by the caller.
func (s Settings) Driver(run bool) (*Driver, error) {
	text, err := watch.Read(s.LayoutFile)
	if err != nil {
		return nil, err
	}
	lookup := os.LookupEnv
	if !run { // then no leaf is asked, and none has to be known
		lookup = func(name string) (string, bool) { return cmp.Or(os.Getenv(name), "nowhere.invalid:1"), true }
	}
	l, err := layout.Parse(text, lookup)
	if err != nil {
		return nil, err
	}
	d := &Driver{Brokers: s.Brokers, Layout: l, Log: s.Log, Level: s.Level, Linger: s.Linger}
	if !run || l.Next == nil {
		return d, nil
	}
	roots, err := upstream.Parse(s.Roots)
	if err != nil {
		return nil, fmt.Errorf("-roots: %w", err)
	}
	intervals := upstream.Intervals{CheckInterval: 500 * time.Millisecond, ResolveInterval: time.Second}
	health := upstream.Health{CheckTimeout: 2 * time.Second, CheckUp: 1, CheckDown: 2}
	leaves, err := NewPools(l.Next.Topic, l.Next.Shards, intervals, health, s.Log)
	if err != nil {
		return nil, err
	}
	known, err := NewPools(l.Control, []upstream.Address{roots}, intervals, health, s.Log)
	if err != nil {
		leaves.Close()
		return nil, err
	}
	d.Leaves, d.Roots, d.close = leaves, known, func() { leaves.Close(); known.Close() }
	return d, nil
}

// Close ends what the settings have begun.
func (d *Driver) Close() {
	if d.close != nil {
		d.close()
	}
}

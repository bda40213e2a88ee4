package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
	"github.com/flotilla-dev/flotilla/services/search/merge"
)

// controlled makes the view of the control topic, if the file names one. follow keeps it; known is called when it is up to date.
func (f *fleet) controlled(text []byte) (follow func(ctx context.Context, known func()) error, err error) {
	l, err := layout.Parse(text, f.cfg.lookup())
	if err != nil || l.Control == "" {
		return nil, err
	}
	if len(f.cfg.Kafka) == 0 {
		return nil, errors.New("layout: it names a control topic, which can only be read with SEARCH_KAFKA")
	}
	cluster, err := doclog.Open(doclog.Options{Brokers: f.cfg.Kafka, Topic: l.Control, Client: Program.Name, Log: f.log})
	if err != nil {
		return nil, err
	}
	f.began = time.Now()
	news := make(chan control.State, 1) // the newest
	f.view = control.NewView(f.log, func(s control.State) {
		select {
		case <-news:
		default:
		}
		news <- s
	})
	f.controls.Add(1)
	return func(ctx context.Context, known func()) error {
		defer f.controls.Done()
		defer cluster.Close()
		var obeying sync.WaitGroup
		defer obeying.Wait()
		obeying.Go(func() { f.obey(ctx, news, known) })
		obeying.Go(func() { f.proclaim(ctx, known) })
		err := f.view.Follow(ctx, cluster)
		if ctx.Err() != nil {
			return nil
		}
		// Searches go on. Writes are refused as soon as the view is older than a lease.
		f.log.Error("the control topic cannot be followed any more: nothing is written", "error", err)
		<-ctx.Done()
		return nil
	}, nil
}

// obey makes the tables that the control topic asks for.
func (f *fleet) obey(ctx context.Context, news <-chan control.State, known func()) {
	for {
		select {
		case s := <-news:
			f.log.Info("control topic", "version", s.Version, "phase", s.Phase, "serving", s.Serving.Topic)
			f.awaitNext(ctx, s)
			f.applying.Lock()
			text := f.text
			f.applying.Unlock()
			f.reload(text)
			if t, broken := f.state(); broken == nil && t.moves.Version >= s.Version {
				known()
			}
		case <-ctx.Done():
			return
		}
	}
}

// awaitNext waits until a layout that is to serve from now on has replicas that can be asked. Meanwhile the old one is searched: its state is
// that of the seals. After the time of new roots it is taken as it is.
func (f *fleet) awaitNext(ctx context.Context, s control.State) {
	t := f.hold()
	defer t.release()
	if s.Version == 0 || s.Serving.Topic == t.layout.Topic || len(t.next) != s.Serving.Shards {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.FirstReplicas)
	defer cancel()
	if err := waitForAll(ctx, t.next); err != nil {
		f.log.Warn("the next layout serves without all of its shards", "error", err)
	}
}

// serving is the layout of a file that serves.
func (f *fleet) serving(file *layout.Layout) (*layout.Layout, control.State, error) {
	if f.view == nil {
		if file.Control != "" {
			return nil, control.State{}, errors.New("layout: control: it is read when a root starts: start it anew")
		}
		return file, control.State{}, nil
	}
	if file.Control == "" {
		return nil, control.State{}, errors.New("layout: control: a root that has followed one needs it: start it anew to go without")
	}
	s, _ := f.view.State()
	if s.Version == 0 {
		return file, s, nil
	}
	for _, l := range []*layout.Layout{file, file.Next} {
		if l != nil && fits(l, s.Serving) {
			return l, s, nil
		}
	}
	return nil, s, fmt.Errorf("layout: the control topic says that topic %s serves, with %d shards, placement %s: the file has no such layout", s.Serving.Topic, s.Serving.Shards, s.Serving.Placement)
}

func fits(l *layout.Layout, as control.Layout) bool {
	return l.Topic == as.Topic && l.Placement == as.Placement && len(l.Shards) == as.Shards
}

// prepare begins to check the replicas of the layout that documents move to.
func (f *fleet) prepare(old, now *table, file *layout.Layout) error {
	now.control = file.Control
	if file.Next == nil || now.layout == file.Next {
		return nil
	}
	now.following = file.Next
	for i, address := range file.Next.Shards {
		s, err := f.shard(old, i, address)
		if err != nil {
			return fmt.Errorf("next: %w", err)
		}
		now.next = append(now.next, s)
	}
	return nil
}

// serves tells whether the table has been made from a state that is not older than its own layout: one from before a switch serves until
// the next one is made, because its state is that of the seals.
func (t *table) serves() bool {
	s, _ := t.view.State()
	_, was := s.Was(t.layout.Topic)
	return s.Version == 0 || s.Serving.Topic == t.layout.Topic || was && t.moves.Version > 0
}

// holdToWrite is hold for a write: it returns when documents can be written, or when the time is over.
func (f *fleet) holdToWrite(ctx context.Context) (*table, error) {
	for {
		if f.view == nil {
			return f.hold(), nil
		}
		news := f.view.News()
		t := f.hold()
		if t.writable() {
			return t, nil
		}
		t.release()
		if !f.view.Heard(f.cfg.ControlSilence) { // Kafka is away, so that it is no matter of a moment
			return nil, problem.New(http.StatusServiceUnavailable, "log-unavailable", "the control topic cannot be read, which says whether the log is written; nothing is written meanwhile").Retry(doclog.RetryAfter)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, f.heldTooLong()
		}
	}
}

// heldTooLong is what a writer is told whose time is over. Behind a seal nothing is written until somebody goes on with the move.
func (f *fleet) heldTooLong() error {
	s, _ := f.view.State()
	if s.Version == 0 || s.Phase.Open() {
		return problem.New(http.StatusServiceUnavailable, "log-unavailable", "which layout serves was not heard of for a moment; nothing is written meanwhile").Retry(doclog.RetryAfter)
	}
	detail := fmt.Sprintf("documents move to layout %s, phase %s since %s, and nothing is written until that is done; if it takes longer than some seconds, who moves them may have ended: \"searchreshard run\" goes on with it",
		s.Next.Topic, s.Phase, s.Time.Format(time.RFC3339))
	return problem.New(http.StatusServiceUnavailable, "log-unavailable", detail).Retry(doclog.RetryAfter).With("phase", s.Phase).With("next", s.Next.Topic)
}

func (t *table) writable() bool {
	return t.view == nil || t.view.Writable(t.layout.Topic, t.layout.Topic)
}

// errDoubtful says that a record may be behind the seal of its partition.
var errDoubtful = errors.New("the log may have been sealed before")

// acknowledged makes doubtful what the log has acknowledged, if it may have been sealed before that.
func (t *table) acknowledged(results []doclog.Result) []doclog.Result {
	if t.writable() {
		return results
	}
	for i := range results {
		if results[i].Err == nil {
			results[i].Offset, results[i].Err = -1, &doclog.Unknown{Cause: errDoubtful}
		}
	}
	return results
}

// least are the epochs that every search wants: a replica that has not all of the layout before is no answer.
func (t *table) least() []int64 {
	if t.moves.Serving.Topic == t.layout.Topic && len(t.moves.Epochs) == len(t.shards) {
		return slices.Clone(t.moves.Epochs)
	}
	return make([]int64, len(t.shards))
}

// ofAnother judges epochs of another layout: satisfied, when it has served, because the one of now began with all that was acknowledged.
func (t *table) ofAnother(layout string) (satisfied bool, err error) {
	_, was := t.moves.Was(layout)
	switch {
	case was:
		return true, nil
	case layout == "" && !t.informed():
		return false, problem.New(http.StatusServiceUnavailable, "layout-unknown", "min_epochs names no layout, and this root does not know yet whether another one than "+t.layout.Topic+" has served: name it, as "+t.layout.Topic+"/0:18").Retry(time.Second)
	case layout == "" && len(t.moves.Past) > 0:
		return false, badParameter("min_epochs", "has to name the layout, because another one has served before: "+t.layout.Topic+"/0:18, as layout and epochs of the answer to a write say")
	case layout == "" || layout == t.layout.Topic:
		return false, nil
	}
	return false, problem.New(http.StatusServiceUnavailable, "layout-unknown", fmt.Sprintf("this root has not heard of layout %.60q, or not yet; %s serves here", layout, t.layout.Topic)).Retry(time.Second)
}

// informed tells whether the control topic was read once, or there is none.
func (t *table) informed() bool {
	if t.view == nil {
		return true
	}
	_, known := t.view.State()
	return known
}

// hadCursor tells whether a cursor was made by a layout that has served.
func (t *table) hadCursor(text, query string, d Distribution) bool {
	return slices.ContainsFunc(t.moves.Past, func(l control.Layout) bool {
		_, err := merge.Parse(text, merge.QueryOf(query, string(d), l.Topic), l.Shards)
		return err == nil
	})
}

// A ControlStatus is what a root knows of the move to another layout.
type ControlStatus struct {
	Topic    string        `json:"topic"`
	Known    bool          `json:"known"` // its end was seen once
	Version  int64         `json:"version"`
	Phase    control.Phase `json:"phase"`
	Since    *time.Time    `json:"since,omitempty"`  // of the phase
	Silent   bool          `json:"silent"`           // it was not heard of for SEARCH_CONTROL_SILENCE: answers are unconfirmed
	Next     string        `json:"next,omitempty"`   // topic of the layout that documents move to
	Prepared bool          `json:"prepared"`         // this root has that layout, and each of its shards has a replica that is ready
	Epochs   []int64       `json:"epochs,omitempty"` // at which the layout of now began to serve
	Past     []string      `json:"past,omitempty"`   // topics that have served
	Late     int64         `json:"late,omitempty"`   // records behind the seals of the last move
	Writable bool          `json:"writable"`         // documents can be written now
}

func (f *fleet) controlStatus(t *table) *ControlStatus {
	if f.view == nil {
		return nil
	}
	s, known := f.view.State()
	c := &ControlStatus{Topic: t.control, Known: known, Version: s.Version, Phase: s.Phase, Epochs: s.Epochs, Late: s.Late, Writable: t.writable(), Silent: !f.view.Heard(f.cfg.ControlSilence)}
	if s.Version > 0 {
		c.Since = &s.Time
	}
	for _, l := range s.Past {
		c.Past = append(c.Past, l.Topic)
	}
	if s.Next != nil {
		c.Next = s.Next.Topic
		c.Prepared = t.prepared(*s.Next)
	}
	return c
}

// prepared tells whether the table has a next layout that can be searched.
func (t *table) prepared(as control.Layout) bool {
	if t.following == nil || !fits(t.following, as) {
		return false
	}
	for _, s := range t.next {
		if n, _ := s.pool.Usable(); n == 0 {
			return false
		}
	}
	return true
}

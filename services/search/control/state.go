package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// A Phase is how far the move to another layout is.
type Phase string

// The phases, in order. From the first two the way back to Serving is open; from Sealed on there is only the way forward.
const (
	Serving  Phase = "serving"  // nothing moves
	Copying  Phase = "copying"  // the next log is filled while this one is written
	Sealing  Phase = "sealing"  // nobody writes any more, once all have heard of it
	Sealed   Phase = "sealed"   // the log ends, and what is left is copied
	Switched Phase = "switched" // the next layout serves; the old log is still looked at
)

// before are the phases that a phase can follow. The same one again is another driver's, who takes over.
var before = map[Phase][]Phase{
	Serving:  {Copying, Sealing, Switched},
	Copying:  {Serving, Copying},
	Sealing:  {Copying, Sealing},
	Sealed:   {Sealing, Sealed},
	Switched: {Sealed, Switched},
}

// Open tells whether documents can be written.
func (p Phase) Open() bool { return p != Sealing && p != Sealed }

// A Layout is what makes the log of one: its topic names it, for good.
type Layout struct {
	Topic     string `json:"topic"`
	Placement string `json:"placement"`
	Shards    int    `json:"shards"`
}

// A State is what a record says.
type State struct {
	Version int64    `json:"version"` // 0: there is none yet
	Phase   Phase    `json:"phase"`
	Serving Layout   `json:"serving"`
	Next    *Layout  `json:"next,omitempty"` // that documents are moved to
	Past    []Layout `json:"past,omitempty"` // that have served, the last one last
	// Epochs of the shards of Serving at which they have all that was acknowledged before it served.
	Epochs []int64 `json:"epochs,omitempty"`

	Driver   string                  `json:"driver"`   // who took the step: a number drawn by lot
	Producer doclog.ProducerIdentity `json:"producer"` // under which the driver copies
	Time     time.Time               `json:"time"`
	Copied   int64                   `json:"copied,omitempty"` // records that the last move has copied, deletions, too
	Late     int64                   `json:"late,omitempty"`   // records behind the seals of the last move
}

// mostPast bounds the layouts that are remembered.
const mostPast = 16

// Switch is the state in which the next layout serves.
func (s State) Switch(epochs []int64) State {
	past := append(slices.Clone(s.Past), s.Serving)
	s.Past = past[max(0, len(past)-mostPast):]
	s.Phase, s.Serving, s.Next, s.Epochs = Switched, *s.Next, nil, epochs
	return s
}

// Was is the layout of this topic if it has served.
func (s State) Was(topic string) (Layout, bool) {
	for _, l := range s.Past {
		if l.Topic == topic {
			return l, true
		}
	}
	return Layout{}, false
}

// follows tells what is wrong with a state behind another one.
func (s State) follows(last State) error {
	switch {
	case s.Version != last.Version+1:
		return fmt.Errorf("version %d behind %d", s.Version, last.Version)
	case last.Version > 0 && !slices.Contains(before[s.Phase], last.Phase) || last.Version == 0 && s.Phase != Copying:
		return fmt.Errorf("phase %q behind %q", s.Phase, last.Phase)
	case s.Serving.Topic == "" || s.Serving.Shards < 1 || s.Serving.Shards > doclog.MaxShards:
		return errors.New("no layout")
	case (s.Next != nil) != (s.Phase == Copying || s.Phase == Sealing || s.Phase == Sealed):
		return fmt.Errorf("phase %q and its next layout do not fit together", s.Phase)
	case s.Epochs != nil && len(s.Epochs) != s.Serving.Shards:
		return fmt.Errorf("%d epochs of %d shards", len(s.Epochs), s.Serving.Shards)
	}
	return nil
}

// fold is the state behind one more record. A record that does not follow is void; wrong says why.
func fold(last State, r doclog.Record) (now State, wrong error) {
	if r.Kind != doclog.Control {
		return last, fmt.Errorf("a record of kind %s", r.Kind)
	}
	if err := json.Unmarshal(r.Value, &now); err != nil {
		return last, errors.New("it is no JSON of a state")
	}
	if err := now.follows(last); err != nil {
		return last, err
	}
	return now, nil
}

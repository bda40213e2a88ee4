package reshard

import (
	"cmp"
	"encoding/json"
	"io"

	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// meanings say what a phase is for whoever reads it.
var meanings = map[control.Phase]string{
	control.Serving:  "nothing moves",
	control.Copying:  "documents are copied to the next layout, searched and written in the one of now; if run has ended, run goes on, and abort leads back",
	control.Sealing:  "no documents are written any more; if run has ended, they are when run has gone on to its end, or after abort",
	control.Sealed:   "the log of now has ended, and no documents are written; there is no way back: if run has ended, they are when run has gone on to its end",
	control.Switched: "the next layout is searched and written; run only looks whether something came behind the seals",
}

// Print writes a state for people and programs. Where no step was ever taken, the layout of the file serves.
func Print(s control.State, l *layout.Layout, to io.Writer) error {
	if s.Version == 0 {
		s.Serving = of(l)
	}
	s.Phase = cmp.Or(s.Phase, control.Serving)
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		control.State
		Meaning string `json:"meaning"`
	}{s, meanings[s.Phase]})
}

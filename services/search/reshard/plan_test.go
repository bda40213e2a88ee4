package reshard

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// From 3 to 5 shards jump moves 2 of 5 documents, those that the new shards have; modulo moves 4 of 5: only remainders of 15 below 3 stay.
func TestAPlanCountsWhatMoves(t *testing.T) {
	const n = 10000
	shares := map[string]float64{doclog.Jump: 0.4, doclog.Modulo: 0.8}
	for placement, want := range shares {
		before, err := doclog.NewPlacement(placement, 3)
		if err != nil {
			t.Fatal(err)
		}
		living := []map[string]bool{{}, {}, {}}
		for i := range n {
			id := fmt.Sprint("n", i)
			living[before.Of(id)][id] = true
		}
		l := &layout.Layout{Topic: "documents", Placement: placement, Shards: make([]upstream.Address, 3), Next: &layout.Layout{Topic: "documents-5", Placement: placement, Shards: make([]upstream.Address, 5)}}
		p, err := planned(l, living)
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for from, row := range p.Moves {
			for to, moved := range row {
				sum += moved
				if placement == doclog.Jump && to < 3 && to != from && moved > 0 {
					t.Errorf("jump moves %d documents from %d to %d, which was there before", moved, from, to)
				}
			}
		}
		if have := float64(p.Changed) / n; sum != n || p.Documents != n || have < want-0.02 || have > want+0.02 || p.Instead[placement] != p.Changed {
			t.Errorf("%s: %d documents, %.3f change, want %.3f; %+v", placement, p.Documents, have, want, p.Instead)
		}
		var shown strings.Builder
		if err := p.Print(&shown); err != nil || !strings.Contains(shown.String(), "10000 documents") || !strings.Contains(shown.String(), "to 4") {
			t.Errorf("%v %s", err, shown.String())
		}
		t.Logf("\n%s", shown.String())
	}
}

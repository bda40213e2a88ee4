package experiments

import (
	"path/filepath"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// What these claim depends on no clock, so every run of the tests has them: two scripts, and ten rounds of faults.
func TestOwnersSurviveFaultsAndWrongVariantsAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: owners were not paused, killed and cut off")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pattern    proof.Pattern
		experiment string
	}{{o1(), "unlock"}, {o3(), "zombie"}, {o3(), "rounds"}} {
		t.Run(c.pattern.ID+" "+c.experiment, func(t *testing.T) {
			runner := proof.Runner{Root: root, Results: t.TempDir(), Quick: true, Out: t.Output()}
			record, err := runner.Run(t.Context(), c.pattern, c.experiment)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range record.Parts {
				if part.Verdict == proof.NotShown {
					t.Skipf("SKIPPED: %s: %s", part.Name, part.Missing)
				}
			}
			if record.Verdict() != proof.Holds {
				t.Errorf("%s %s", c.pattern.ID, record.Verdict())
			}
		})
	}
}

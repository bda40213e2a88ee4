package follow_test

import (
	"fmt"
	"strings"
	"testing"
)

// many is more files than a look takes on.
const many = 10_001

func TestFilesAreFollowedInADirectoryOfManyOthers(t *testing.T) {
	w := newWorld(t, "z.log")
	w.append("z.log", lines("a", 1))
	w.wantRead(w.look(everything), lines("a", 1))
	for i := range many {
		w.append(fmt.Sprintf("a%05d", i), "")
	}
	w.append("z.log", lines("b", 1))
	w.wantRead(w.look(everything), lines("b", 1))
	w.rename("z.log", "z.log.1")
	w.append("z.log.1", lines("c", 1))
	w.append("z.log", lines("d", 1))
	w.wantRead(w.look(everything), lines("c", 1)+lines("d", 1))
	w.wantLost()
}

func TestTooManyGenerationsAreToldOfAndTheFollowedOnesReadOn(t *testing.T) {
	w := newWorld(t, "app.log")
	failed := map[string]bool{}
	w.settings.Failed = func(err error) { failed[err.Error()] = true }
	w.start(true)
	w.append("app.log", lines("a", 1))
	for i := range many - 1 {
		w.append(fmt.Sprintf("app.log.%05d", i), "")
	}
	w.wantRead(w.look(everything), lines("a", 1))
	if len(failed) > 0 {
		t.Errorf("told: %v", failed)
	}
	w.rename("app.log", "app.log.followed")
	w.append("app.log.followed", lines("b", 1))
	w.append("app.log.stranger", lines("c", 1))
	w.append("app.log", lines("d", 1))
	w.wantOnce(w.look(everything), lines("b", 1), lines("d", 1))
	w.now = w.now.Add(grace)
	w.wantRead(w.look(everything), "") // it is closed …
	w.append("app.log.followed", lines("late", 1))
	w.wantRead(w.look(everything), lines("late", 1)) // … and known
	w.wantLost()
	for text := range failed {
		if !strings.Contains(text, w.dir+": a directory with more than 10000 generations") {
			t.Errorf("told: %s", text)
		}
	}
	if len(failed) != 1 {
		t.Errorf("%d were told", len(failed))
	}
}

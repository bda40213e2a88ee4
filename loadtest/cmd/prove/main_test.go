package main

import (
	"bytes"
	"strings"
	"testing"
)

func prove(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestListTellsEveryQuestion(t *testing.T) {
	code, out, _ := prove(t, "list")
	for _, want := range []string{"R1", "R3/herd", "R5/slowloris", "?"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in %s", code, want, out)
		}
	}
}

func TestWrongArgumentsAreStatus2(t *testing.T) {
	for _, args := range [][]string{nil, {"R99"}, {"--fast", "R1"}} {
		if code, _, errs := prove(t, args...); code != exitUsage || errs == "" {
			t.Errorf("%q: status %d, %q", args, code, errs)
		}
	}
}

func TestAnUnknownExperimentIsAnErrorAndRunsNothing(t *testing.T) {
	code, _, errs := prove(t, "--results", t.TempDir(), "R3/nothing")
	if code != 1 || !strings.Contains(errs, "nothing") {
		t.Errorf("status %d, %q", code, errs)
	}
}

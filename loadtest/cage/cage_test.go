package cage_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/cage"
)

func open(t *testing.T, l cage.Limits) *cage.Cage {
	t.Helper()
	c, err := cage.New("flotilla-test-"+strings.ToLower(t.Name()), l)
	if errors.Is(err, cage.ErrUnavailable) {
		t.Skipf("SKIPPED: limits are NOT tried here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	return c
}

func TestWhoWantsTooMuchMemoryIsKilledAlone(t *testing.T) {
	c := open(t, cage.Limits{Memory: 16 << 20})
	path, args := c.Command("/bin/sh", "-c", "x=1234567890123456; while :; do x=$x$x; done")
	if err := exec.CommandContext(t.Context(), path, args...).Run(); err == nil {
		t.Error("it has got as much as it wanted")
	}
	if n, err := c.Killed(); err != nil || n < 1 {
		t.Errorf("%d were killed, %v", n, err)
	}
}

func TestWhoSpinsIsThrottled(t *testing.T) {
	c := open(t, cage.Limits{Request: 0.01, CPUs: 0.1})
	path, args := c.Command("/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n, err := c.Throttled(); err != nil || n < 1 {
		t.Errorf("throttled %d times, %v", n, err)
	}
}

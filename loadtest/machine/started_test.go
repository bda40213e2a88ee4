package machine

import (
	"os/exec"
	"testing"
	"time"
)

func TestAProcessStartedBetweenBeforeAndAfter(t *testing.T) {
	before, err := Uptime()
	if err != nil {
		t.Skipf("SKIPPED: starts of processes are NOT read here: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	after, err := Uptime()
	if err != nil {
		t.Fatal(err)
	}
	started, err := Started(cmd.Process.Pid)
	if err != nil || started < before-10*time.Millisecond || started > after+10*time.Millisecond {
		t.Errorf("it started at %v, %v; want %v to %v", started, err, before, after)
	}
	if _, err := Started(1 << 30); err == nil {
		t.Error("a process that there is not has a start")
	}
}

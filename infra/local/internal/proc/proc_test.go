package proc

import (
	"os"
	"os/exec"
	"testing"
)

func TestANumberThatIsUsedAgainIsSomebodyElse(t *testing.T) {
	t.Parallel()
	start, err := Start(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !Alive(os.Getpid(), start) {
		t.Error("this process is not alive")
	}
	if Alive(os.Getpid(), "1"+start) || Alive(os.Getpid(), "") || Alive(0, start) {
		t.Error("another start, or no number, counts as this process")
	}
}

func TestOneThatEndedAndWasNotWaitedForIsNotAlive(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := Start(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	for Alive(cmd.Process.Pid, start) { // until the kernel has ended it
	}
	cmd.Wait()
}

func TestMemoryIsCounted(t *testing.T) {
	t.Parallel()
	if bytes, err := Memory(os.Getpid()); err != nil || bytes < 1<<20 {
		t.Errorf("this process uses %d bytes, %v", bytes, err)
	}
}

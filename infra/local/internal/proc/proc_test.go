package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestAStoppedProcessIsOneWhoseThreadsAllAre(t *testing.T) {
	t.Parallel()
	if Stopped(os.Getpid()) {
		t.Error("this process is stopped")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !Stopped(cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not stop")
		}
	}
}

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

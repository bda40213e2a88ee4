package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestItTakesInTheDeadAndEndsWhenItIsTold(t *testing.T) {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	// WNOWAIT: wait for the end of the child and leave it a zombie.
	const pidType, exited, noWait = 1, 4, 0x01000000
	if _, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pidType, uintptr(child.Process.Pid), 0, exited|noWait, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGCHLD
	signals <- syscall.SIGTERM
	hold(signals)
	if err := syscall.Kill(child.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child is still there: %v", err)
	}
}

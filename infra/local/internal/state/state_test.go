package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADirectoryHasOneRunnerAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("a second runner: %v", err)
	}
	unlock()
	unlock, err = Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestWhereThereIsNoRecordTheFleetIsDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if f, err := Read(dir); err != nil || f.State != "down" {
		t.Errorf("%+v, %v", f, err)
	}
	if cleaned, err := Clean(dir); err != nil || len(cleaned) > 0 {
		t.Errorf("%v, %v", cleaned, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fleet.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Clean(dir); err == nil || !strings.Contains(err.Error(), "fleet.json") {
		t.Errorf("a broken record: %v", err)
	}
}

func TestTheEndOfARunnerIsAwaited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := AwaitEnd(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("while it runs, and the wait is given up: %v", err)
	}
	done := make(chan error)
	go func() { done <- AwaitEnd(t.Context(), dir) }()
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

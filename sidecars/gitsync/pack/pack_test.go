package pack_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/pack"
)

func TestOnlyWhatDidNotEndIsRemoved(t *testing.T) {
	git := t.TempDir()
	if err := pack.Sweep(git); err != nil {
		t.Errorf("nothing there yet: %v", err)
	}
	dir := filepath.Join(git, "objects", "pack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pack-a.pack", "pack-a.idx", "pack-a.rev", "pack-b.idx", "pack-b.rev", "tmp_pack_123"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Sweep(git); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if !slices.Equal(left, []string{"pack-a.idx", "pack-a.pack", "pack-a.rev"}) {
		t.Errorf("%v", left)
	}
}

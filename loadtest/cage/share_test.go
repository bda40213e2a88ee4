package cage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A share shows only where CPUs are scarce: what the kernel took is read back.
func TestAShareIsThatOfItsRequest(t *testing.T) {
	c, err := New("flotilla-test-share", Limits{Request: 0.25})
	if errors.Is(err, ErrUnavailable) {
		t.Skipf("SKIPPED: limits are NOT tried here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	file, want := "cpu.shares", "256" // of 1024 a CPU
	if c.version2() {
		file, want = "cpu.weight", "10" // as a kubelet converts them
	}
	got, err := os.ReadFile(filepath.Join(c.dirs["cpu"], file))
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%s is %q, %v; want %s", file, got, err, want)
	}
}

package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func tree(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.test/x\n\ngo 1.26\n", "cmd/x/main.go": source} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	t.Setenv("GOWORK", "off")
	return root
}

func TestProgramsAreBuiltWithProgress(t *testing.T) {
	root := tree(t, "package main\n\nfunc main() {}\n")
	seen := ""
	took, err := Programs(context.Background(), root, filepath.Join(root, "bin"), []string{"./cmd/x"}, func(_ int, last string) { seen = last })
	if err != nil || took <= 0 {
		t.Fatal(err)
	}
	if seen != "example.test/x/cmd/x" {
		t.Errorf("the progress ends with %q", seen)
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "x")); err != nil {
		t.Error(err)
	}
}

func TestWhatTheCompilerSaysIsQuoted(t *testing.T) {
	root := tree(t, "package main\n\nfunc main() { undefined() }\n")
	_, err := Programs(context.Background(), root, filepath.Join(root, "bin"), []string{"./cmd/x"}, func(int, string) {})
	if err == nil || !strings.Contains(err.Error(), "cmd/x/main.go:3:15: undefined: undefined") {
		t.Errorf("the error is %v", err)
	}
}

func TestEveryMissingProgramIsNamed(t *testing.T) {
	root := tree(t, "package main\n\nfunc main() {}\n")
	_, err := Programs(context.Background(), root, filepath.Join(root, "bin"), []string{"./cmd/x", "./cmd/y", "./cmd/z"}, func(int, string) {})
	if err == nil || !strings.Contains(err.Error(), "cmd/y") || !strings.Contains(err.Error(), "cmd/z") {
		t.Errorf("the error is %v", err)
	}
}

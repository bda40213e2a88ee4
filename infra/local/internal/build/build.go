// Package build builds all programs of a fleet by one call of the Go tool: what
// has not changed is neither compiled nor linked again.
package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Report is told how many packages were compiled so far.
type Report func(compiled int, last string)

// Programs builds packages of the tree at root into a directory.
func Programs(ctx context.Context, root, into string, packages []string, report Report) (time.Duration, error) {
	start := time.Now()
	if err := complete(root, packages); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(into, 0o700); err != nil {
		return 0, err
	}
	// The tag is that of the images (infra/docker/README.md): 2 to 3 MiB less in each process.
	args := append([]string{"build", "-tags", "grpcnotrace", "-v", "-o", into + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return 0, errors.New("the go command is not in PATH: the fleet is built from source")
		}
		return 0, err
	}
	complaints := read(stderr, report)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("go build: %w\n%s", err, strings.TrimRight(complaints, "\n"))
	}
	return time.Since(start), nil
}

// read tells names of compiled packages, which -v prints, from complaints.
func read(stderr io.Reader, report Report) string {
	var complaints strings.Builder
	compiled := 0
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		if isPackage(line) {
			compiled++
			report(compiled, line)
			continue
		}
		if complaints.Len() < 64<<10 {
			complaints.WriteString(line + "\n")
		}
	}
	return complaints.String()
}

func isPackage(line string) bool {
	return line != "" && !strings.HasPrefix(line, "#") && !strings.ContainsAny(line, " \t:")
}

// complete names every program that is not there.
func complete(root string, packages []string) error {
	var errs []error
	for _, p := range packages {
		files, err := filepath.Glob(filepath.Join(root, p, "*.go"))
		if err != nil || len(files) == 0 {
			errs = append(errs, fmt.Errorf("there is no program in %s", filepath.Join(root, p)))
		}
	}
	return errors.Join(errs...)
}

package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// profile says what a server's CPU is spent on, under one more round of load.
func profile(ctx context.Context, r *proof.Report, p *rig.Proc, load func(context.Context, time.Duration) error) error {
	span := r.Span(5*time.Second, time.Second)
	name := filepath.Join(r.Dir, p.Spec.Name+".pprof")
	fetched := make(chan error, 1)
	go func() { fetched <- fetchProfile(ctx, "http://"+p.Admin, span, name) }()
	loaded := load(ctx, span+time.Second)
	if err := errors.Join(loaded, <-fetched); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=14", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("profile: %w: %s", err, out)
	}
	r.Table(proof.Table{Title: "What the CPU of " + p.Spec.Name + " is spent on (own time)", Columns: []string{"share", "function"}, Rows: top(string(out))})
	return nil
}

func fetchProfile(ctx context.Context, admin string, d time.Duration, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", admin, int(d.Seconds())), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, resp.Body); err != nil {
		return err
	}
	return f.Close()
}

// top reads the lines "flat flat% sum% cum cum% name" of pprof -top.
func top(text string) [][]string {
	var rows [][]string
	_, body, _ := strings.Cut(text, "cum%\n")
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		rows = append(rows, []string{f[1], strings.Join(f[5:], " ")})
	}
	return rows
}

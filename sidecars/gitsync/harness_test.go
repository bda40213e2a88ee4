package gitsync_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// TestMain is gitsync itself when a test starts this binary as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_IS_GITSYNC") != "" {
		process.Main(gitsync.Program, gitsync.Run)
	}
	goleak.VerifyTestMain(m)
}

// synced is a gitsync that runs.
type synced struct {
	t    *testing.T
	root string
	*processtest.Running
}

// start starts gitsync on a repository. It asks every 50 ms, unless env says otherwise.
func start(t *testing.T, repository string, env ...string) *synced {
	t.Helper()
	root := t.TempDir()
	values := map[string]string{"GITSYNC_REPOSITORY": repository, "GITSYNC_ROOT": root, "GITSYNC_PERIOD": "50ms", "GITSYNC_RETRY_MAX": "50ms"}
	for i := 0; i+1 < len(env); i += 2 {
		values[env[i]] = env[i+1]
	}
	cfg := processtest.Parse[gitsync.Config](t, gitsync.Program, values)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return gitsync.Run(ctx, cfg) })
	return &synced{t, values["GITSYNC_ROOT"], running}
}

func (s *synced) status() gitsync.Status {
	s.t.Helper()
	_, body := processtest.Get(s.t, "http://"+s.Data+"/v1/status")
	var status gitsync.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		s.t.Fatalf("%v in %s", err, body)
	}
	return status
}

func (s *synced) awaitRevision(hash string) {
	s.t.Helper()
	await.That(s.t, "revision "+hash, func() bool { return s.status().Revision == hash })
	if target, err := os.Readlink(filepath.Join(s.root, "current")); err != nil || !strings.HasPrefix(target, ".revisions/"+hash) {
		s.t.Errorf("the link leads to %s, %v", target, err)
	}
}

// awaitFailure waits for one whose reason has some words.
func (s *synced) awaitFailure(words string) gitsync.Status {
	s.t.Helper()
	var status gitsync.Status
	await.That(s.t, "failure: "+words, func() bool {
		status = s.status()
		return status.Failure != nil && strings.Contains(status.Failure.Reason, words)
	})
	return status
}

// ready asks the probe, and returns what it says.
func (s *synced) ready() (bool, string) {
	s.t.Helper()
	resp, body := processtest.Get(s.t, "http://"+s.Admin+"/readyz")
	return resp.StatusCode == http.StatusOK, body
}

// read reads a file of the current revision.
func (s *synced) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.root, "current", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

package gitsync_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/internal/gittest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestWithoutARevisionItIsNotReadyAndSaysWhy(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	s := start(t, server.URL)
	s.awaitFailure("the repository is empty")
	if ready, why := s.ready(); ready || !strings.Contains(why, "the repository is empty") {
		t.Errorf("empty: %s", why)
	}
	hash := repo.Commit("a", "1")
	gittest.Git(t, repo.Dir, "push", "-q", "origin", "HEAD:other")
	s.awaitFailure("no branch, tag or commit HEAD")
	gittest.Git(t, repo.Dir, "push", "-q", "origin", "HEAD:main")
	s.awaitRevision(hash)
	if ready, why := s.ready(); !ready {
		t.Error(why)
	}
}

func TestAServerThatIsDownLeavesTheLastRevisionReadyAndStale(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	s := start(t, server.URL)
	s.awaitRevision(one)
	server.Down.Store(true)
	status := s.awaitFailure("the connection to the git server was lost")
	if ready, why := s.ready(); !ready || !status.Stale || status.Failure.Kind != "unreachable" || s.read("a") != "1" {
		t.Errorf("%+v, ready: %s", status, why)
	}
	two := repo.Push("a", "2")
	server.Down.Store(false)
	s.awaitRevision(two)
	await.That(t, "no failure any more", func() bool { now := s.status(); return !now.Stale && now.Failure == nil })
}

func TestARestartWithoutTheServerServesWhatIsThere(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	s := start(t, server.URL)
	s.awaitRevision(one)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	server.Down.Store(true)
	s = start(t, server.URL, "GITSYNC_ROOT", s.root)
	s.awaitFailure("connection")
	if ready, why := s.ready(); !ready || s.status().Revision != one || s.read("a") != "1" {
		t.Error(why)
	}
}

func TestWhatIsRefusedLeavesTheRevisionBefore(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	s := start(t, server.URL, "GITSYNC_MAX_FILES", "3", "GITSYNC_MAX_BYTES", "1KiB")
	s.awaitRevision(one)
	for _, c := range []struct {
		change func()
		reason string
	}{
		{func() { _ = os.Symlink("../../../../etc/passwd", filepath.Join(repo.Dir, "link")) }, "the link link leads out of the tree"},
		{func() { repo.Write("b", strings.Repeat("x", 1024)) }, "GITSYNC_MAX_BYTES (1KiB)"},
		{func() { repo.Write("b", "", "c", "", "d", "") }, "GITSYNC_MAX_FILES (3)"},
	} {
		c.change()
		hash := repo.Push()
		status := s.awaitFailure(c.reason)
		if status.Revision != one || status.Failure.Refused != hash || status.Failure.Kind != "refused" || s.read("a") != "1" {
			t.Errorf("%+v", status.Failure)
		}
		if ready, why := s.ready(); !ready {
			t.Error(why)
		}
		gittest.Git(t, repo.Dir, "reset", "-q", "--hard", one)
		gittest.Git(t, repo.Dir, "clean", "-fdq")
	}
	two := repo.Push("a", "2")
	s.awaitRevision(two)
}

func TestAServerThatSendsTooMuchIsCutOff(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	var noise strings.Builder // that does not compress
	for sum := sha256.Sum256(nil); noise.Len() < 8<<10; sum = sha256.Sum256(sum[:]) {
		noise.Write(sum[:])
	}
	repo.Push("noise", noise.String())
	s := start(t, server.URL, "GITSYNC_MAX_FETCH", "1KiB")
	s.awaitFailure("GITSYNC_MAX_FETCH (1KiB)")
	// The same revision is not fetched again and again: one look is one request.
	attempts, requests := s.status().Failure.Attempts, server.Requests.Load()
	await.That(t, "more attempts", func() bool { return s.status().Failure.Attempts > attempts+5 })
	if made := s.status().Failure.Attempts - attempts; server.Requests.Load()-requests > int64(made)+2 {
		t.Errorf("%d requests in %d attempts", server.Requests.Load()-requests, made)
	}
}

func TestCredentialsAreReadAtEachAttempt(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	server.Password.Store("right")
	one := repo.Push("a", "1")
	s := start(t, server.URL)
	s.awaitFailure("the server wants credentials: set GITSYNC_PASSWORD_FILE")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	password := file(t, "wrong\n")
	s = start(t, server.URL, "GITSYNC_PASSWORD_FILE", password)
	if status := s.awaitFailure("does not accept"); status.Failure.Kind != "unauthorised" {
		t.Errorf("%+v", status.Failure)
	}
	if err := os.WriteFile(password, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.awaitRevision(one)
}

func TestARepositoryThatIsNotThere(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	s := start(t, strings.Replace(server.URL, "site.git", "none.git", 1))
	s.awaitFailure("there is no repository at GITSYNC_REPOSITORY")
	s = start(t, "http://127.0.0.1:1/site.git")
	s.awaitFailure("refuses the connection")
	s = start(t, "/nonexistent/repository")
	s.awaitFailure("there is no repository")
}

func TestOnceEndsWithTheFirstRevisionOrTheReason(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	once := func(env map[string]string) error {
		values := map[string]string{"GITSYNC_REPOSITORY": server.URL, "GITSYNC_ONCE": "on", "GITSYNC_RETRY_MAX": "20ms", "GITSYNC_ROOT": t.TempDir()}
		for k, v := range env {
			values[k] = v
		}
		cfg := processtest.Parse[gitsync.Config](t, gitsync.Program, values)
		return gitsync.Run(t.Context(), cfg)
	}
	if err := once(map[string]string{"GITSYNC_ONCE_TIMEOUT": "2s"}); err == nil || !strings.Contains(err.Error(), "the repository is empty") {
		t.Errorf("empty: %v", err)
	}
	repo.Push("a", "1")
	root := t.TempDir()
	if err := once(map[string]string{"GITSYNC_ROOT": root}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "current", "a")); err != nil || string(text) != "1" {
		t.Errorf("%q, %v", text, err)
	}
	if err := once(map[string]string{"GITSYNC_MAX_BYTES": "1B", "GITSYNC_PATHS": "b"}); err == nil || !strings.Contains(err.Error(), "has no b") {
		t.Errorf("refused: %v", err) // at once, though there is time
	}
}

func TestAWrongConfigurationNamesEverything(t *testing.T) {
	cfg, err := process.Parse[gitsync.Config](gitsync.Program, map[string]string{
		"GITSYNC_REPOSITORY": "https://me:secret@host/x", "GITSYNC_REF": "a..b", "GITSYNC_PATHS": "ok,../x", "GITSYNC_LINK": "a/b", "GITSYNC_DEPTH": "-1",
		"GITSYNC_MAX_FILES": "0", "GITSYNC_SYNC_RATE": "0", "GITSYNC_SIGNAL": "SIGHUP", "GITSYNC_HOOK_URL": "file:///x",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = gitsync.Run(context.Background(), cfg)
	for _, want := range []string{
		"GITSYNC_REPOSITORY: has a user", "GITSYNC_REF", "GITSYNC_PATHS", "GITSYNC_LINK", "GITSYNC_DEPTH", "GITSYNC_MAX_FILES", "GITSYNC_SYNC_RATE",
		"GITSYNC_SIGNAL: SIGHUP to whom", "GITSYNC_HOOK_URL: is not valid", "choose one",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

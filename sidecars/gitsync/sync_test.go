package gitsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/internal/gittest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// A reference may be a branch, a tag, a commit or HEAD, the repository behind HTTP
// or on this machine: each leads to the same revision.
func TestEveryKindOfReferenceAndSource(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	gittest.Git(t, repo.Dir, "tag", "light")
	gittest.Git(t, repo.Dir, "tag", "-a", "-m", "annotated", "heavy")
	gittest.Git(t, repo.Dir, "push", "-q", "origin", "light", "heavy", "HEAD:feature/x")
	two := repo.Push("a", "2")
	for _, source := range []string{server.URL, repo.Bare, "file://" + repo.Bare, repo.Dir} {
		for ref, want := range map[string]string{"HEAD": two, "main": two, "refs/heads/main": two, "feature/x": one, "light": one, "heavy": one, one: one} {
			if source == repo.Dir && ref == "feature/x" {
				continue // it was only pushed
			}
			s := start(t, source, "GITSYNC_REF", ref)
			s.awaitRevision(want)
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// many writes one text into a number of files, of which a mixed tree would show two.
func many(text string) []string {
	var files []string
	for i := range 30 {
		files = append(files, fmt.Sprintf("d%d/f%d", i%5, i), text+strings.Repeat(" .", i))
	}
	return files
}

// one reads all files of a revision, through a link that is opened once, and returns
// the one text that is in all of them.
func one(t *testing.T, link string) string {
	t.Helper()
	root, err := os.OpenRoot(link)
	if err != nil {
		t.Fatalf("the link leads nowhere: %v", err)
	}
	defer root.Close()
	seen := ""
	for i := range 30 {
		text, err := root.ReadFile(fmt.Sprintf("d%d/f%d", i%5, i))
		if err != nil {
			t.Fatalf("half a tree: %v", err)
		}
		word, _, _ := strings.Cut(string(text), " ")
		if seen == "" {
			seen = word
		}
		if word != seen {
			t.Fatalf("a mixed tree: %q and %q", seen, word)
		}
	}
	return seen
}

func TestReadersNeverSeeAMixedTree(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	hash := repo.Push(many("v0")...)
	s := start(t, server.URL, "GITSYNC_PERIOD", "10ms", "GITSYNC_KEEP", "1s")
	s.awaitRevision(hash)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	seen := map[string]bool{}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				seen[one(t, filepath.Join(s.root, "current"))] = true
			}
		}
	})
	for i := range 10 {
		hash = repo.Push(many(fmt.Sprintf("v%d", i+1))...)
	}
	s.awaitRevision(hash)
	close(stop)
	readers.Wait()
	if got := one(t, filepath.Join(s.root, "current")); got != "v10" || len(seen) < 2 {
		t.Errorf("at the end %s, seen %v", got, seen)
	}
}

func TestAForcePushIsFollowedForwardsAndBackwards(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	first := repo.Push("a", "1")
	for _, depth := range []string{"0", "1", "2"} {
		gittest.Git(t, repo.Dir, "checkout", "-q", "-B", "main", first)
		repo.Push("a", "one", "b", "b")
		two := repo.Push("a", "two")
		s := start(t, server.URL, "GITSYNC_DEPTH", depth)
		s.awaitRevision(two)
		// Another history, which has nothing in common.
		gittest.Git(t, repo.Dir, "checkout", "-q", "--orphan", "other"+depth)
		s.awaitRevision(repo.Push("a", "orphan"))
		// And back, to what is not current any more, then to its parent.
		gittest.Git(t, repo.Dir, "push", "-q", "--force", "origin", two+":main")
		s.awaitRevision(two)
		gittest.Git(t, repo.Dir, "push", "-q", "--force", "origin", first+":main")
		s.awaitRevision(first)
		if s.read("a") != "1" {
			t.Errorf("depth %s: %q", depth, s.read("a"))
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStoreThatIsBrokenIsStartedOver(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	s := start(t, server.URL)
	s.awaitRevision(repo.Push("a", "1"))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(s.root, ".store", "*", "objects", "pack", "*"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("no packs: %v", err)
	}
	for _, p := range packs {
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = start(t, server.URL, "GITSYNC_ROOT", s.root)
	s.awaitRevision(repo.Push("b", "2"))
	if s.read("a") != "1" {
		t.Error("a file that did not change is not there")
	}
}

func TestTheStoreStaysSmallForEver(t *testing.T) {
	repo := gittest.New(t)
	s := start(t, gittest.Serve(t, repo).URL, "GITSYNC_PERIOD", "5ms")
	for i := range 55 {
		s.awaitRevision(repo.Push("a", fmt.Sprint(i)))
	}
	packs, err := filepath.Glob(filepath.Join(s.root, ".store", "*", "objects", "pack", "*.pack"))
	if err != nil || len(packs) > 50 {
		t.Errorf("%d packs, %v", len(packs), err)
	}
}

func TestOnlyTheSelectedPathsAreThere(t *testing.T) {
	repo := gittest.New(t)
	hash := repo.Push("docs/a", "1", "src/b", "2")
	s := start(t, gittest.Serve(t, repo).URL, "GITSYNC_PATHS", "docs")
	s.awaitRevision(hash)
	if _, err := os.Stat(filepath.Join(s.root, "current", "src")); err == nil || s.read("docs/a") != "1" {
		t.Error("more than what was selected")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// Another selection of the same commit is another directory.
	s = start(t, gittest.Serve(t, repo).URL, "GITSYNC_PATHS", "src", "GITSYNC_ROOT", s.root)
	await.That(t, "the other selection", func() bool { _, err := os.Stat(filepath.Join(s.root, "current", "src", "b")); return err == nil })
}

// A process that is killed at any moment leaves a whole revision, and the next one
// clears up and goes on.
func TestKilledAtAnyMomentTheLinkLeadsToAWholeTree(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	root := t.TempDir()
	s := start(t, server.URL, "GITSYNC_ROOT", root)
	s.awaitRevision(repo.Push(many("v0")...))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		repo.Push(many(fmt.Sprintf("v%d", i+1))...)
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = []string{
			"TEST_IS_GITSYNC=1", "GITSYNC_REPOSITORY=" + server.URL, "GITSYNC_ROOT=" + root, "GITSYNC_KEEP=10ms", "GITSYNC_PERIOD=10ms",
			"LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "PATH=" + os.Getenv("PATH"),
		}
		before := server.Requests.Load()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await.That(t, "a process that fetches", func() bool { return server.Requests.Load() > before })
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // the moment of the kill is any
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		one(t, filepath.Join(root, "current"))
	}
	s = start(t, server.URL, "GITSYNC_ROOT", root, "GITSYNC_KEEP", "0s")
	s.awaitRevision(gittest.Git(t, repo.Dir, "rev-parse", "HEAD"))
	await.That(t, "only the current revision", func() bool {
		left, _ := os.ReadDir(filepath.Join(root, ".revisions"))
		return len(left) == 1
	})
}

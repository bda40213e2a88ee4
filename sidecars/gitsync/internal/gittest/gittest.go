// Package gittest gives tests the real git program: repositories to commit to, and
// its own HTTP server beside ours.
package gittest

import (
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Need skips the test where git is not installed.
func Need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: git is not installed")
	}
}

// Try runs git in a directory, without the configuration of who runs the test.
func Try(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost",
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Git runs git and returns what it prints.
func Git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := Try(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Repo is a bare repository, and a clone of it to work in.
type Repo struct {
	t         testing.TB
	Bare, Dir string
}

// New makes an empty repository with the default branch main.
func New(t testing.TB) *Repo {
	t.Helper()
	Need(t)
	top := t.TempDir()
	r := &Repo{t: t, Bare: filepath.Join(top, "site.git"), Dir: filepath.Join(top, "work")}
	Git(t, top, "init", "-q", "--bare", "-b", "main", r.Bare)
	Git(t, top, "init", "-q", "-b", "main", r.Dir)
	Git(t, r.Dir, "remote", "add", "origin", r.Bare)
	return r
}

// Write puts files into the work, each a name and its content in turn.
func (r *Repo) Write(files ...string) {
	r.t.Helper()
	for i := 0; i+1 < len(files); i += 2 {
		name := filepath.Join(r.Dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Commit commits the work with these files in it, and returns the hash.
func (r *Repo) Commit(files ...string) string {
	r.t.Helper()
	r.Write(files...)
	Git(r.t, r.Dir, "add", "-A")
	Git(r.t, r.Dir, "commit", "-q", "--allow-empty", "-m", "change")
	return Git(r.t, r.Dir, "rev-parse", "HEAD")
}

// Push commits and pushes to main.
func (r *Repo) Push(files ...string) string {
	r.t.Helper()
	hash := r.Commit(files...)
	Git(r.t, r.Dir, "push", "-q", "--force", "origin", "HEAD:main")
	return hash
}

// Server is git's own server, git-http-backend.
type Server struct {
	URL      string       // of the repository
	Down     atomic.Bool  // answers nothing
	Password atomic.Value // string that is needed; none when empty
	Requests atomic.Int64
}

// Serve serves a repository until the test ends. Each request is a process.
func Serve(t testing.TB, r *Repo) *Server {
	t.Helper()
	path := filepath.Join(Git(t, r.Dir, "--exec-path"), "git-http-backend")
	if _, err := os.Stat(path); err != nil {
		t.Skip("SKIPPED: git-http-backend is not installed")
	}
	s := &Server{}
	s.Password.Store("")
	backend := &cgi.Handler{Path: path, Stderr: io.Discard, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(r.Bare), "GIT_HTTP_EXPORT_ALL=1"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.Requests.Add(1)
		_, password, _ := req.BasicAuth()
		switch want := s.Password.Load().(string); {
		case s.Down.Load():
			panic(http.ErrAbortHandler)
		case want != "" && password != want:
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			backend.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL + "/" + filepath.Base(r.Bare)
	return s
}

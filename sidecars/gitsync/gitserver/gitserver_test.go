package gitserver_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/gitserver"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/internal/gittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a-token-of-some-length"

// serve starts gitserver on a new repository and returns the URLs to read from and
// to push to.
func serve(t *testing.T, env ...string) (read, push, dir string) {
	t.Helper()
	gittest.Need(t)
	dir = filepath.Join(t.TempDir(), "repository")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"GITSERVER_DIR": dir, "GITSERVER_TOKEN_FILE": file, "LOG_LEVEL": "ERROR"}
	for i := 0; i+1 < len(env); i += 2 {
		values[env[i]] = env[i+1]
	}
	cfg := processtest.Parse[gitserver.Config](t, gitserver.Program, values)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return gitserver.Run(ctx, cfg) })
	return "http://" + running.Data + "/site.git", "http://any:" + token + "@" + running.Data + "/site.git", dir
}

// clone clones and returns the directory.
func clone(t *testing.T, url string, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	gittest.Git(t, t.TempDir(), append(append([]string{"clone", "-q"}, args...), url, dir)...)
	return dir
}

func commit(t *testing.T, dir, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	gittest.Git(t, dir, "add", "-A")
	gittest.Git(t, dir, "commit", "-q", "-m", "change")
	return gittest.Git(t, dir, "rev-parse", "HEAD")
}

func TestNobodyPushesWithoutTheToken(t *testing.T) {
	read, push, _ := serve(t)
	dir := clone(t, read)
	commit(t, dir, "index.html", "mine")
	for _, url := range []string{read, strings.Replace(push, token, token[1:], 1), strings.Replace(push, token, "", 1)} {
		if out, err := gittest.Try(t, dir, "push", url, "main"); err == nil {
			t.Errorf("pushed to %s: %s", url, out)
		}
	}
	resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, read+"/git-receive-pack", "0000")
	if resp.StatusCode != 401 || !strings.Contains(body, "#git-token") || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestNobodyPushesWhereThereIsNoToken(t *testing.T) {
	read, push, _ := serve(t, "GITSERVER_TOKEN_FILE", "")
	dir := clone(t, read)
	commit(t, dir, "index.html", "mine")
	if _, err := gittest.Try(t, dir, "push", strings.Replace(push, token, "", 1), "main"); err == nil {
		t.Error("pushed")
	}
}

func TestTheRealGitClonesPushesAndFetches(t *testing.T) {
	read, push, dir := serve(t)
	one, two := clone(t, read), clone(t, read)
	if text, err := os.ReadFile(filepath.Join(one, "index.html")); err != nil || !bytes.Contains(text, []byte("first commit")) {
		t.Fatalf("%q, %v", text, err)
	}
	var last string
	for i := range 5 {
		last = commit(t, one, "index.html", "version "+strconv.Itoa(i))
		gittest.Git(t, one, "push", "-q", push, "main")
	}
	gittest.Git(t, two, "pull", "-q", "--ff-only")
	if got := gittest.Git(t, two, "rev-parse", "HEAD"); got != last {
		t.Errorf("fetched %s, want %s", got, last)
	}
	// Both histories meet: each has commits that the other does not have.
	commit(t, two, "other.html", "other")
	gittest.Git(t, two, "push", "-q", push, "main:branch")
	gittest.Git(t, one, "fetch", "-q", "origin", "branch")
	gittest.Git(t, one, "tag", "-a", "-m", "tagged", "v1")
	gittest.Git(t, one, "push", "-q", push, "v1")
	gittest.Git(t, two, "fetch", "-q", "--tags")
	gittest.Git(t, two, "cat-file", "-e", "v1^{commit}")
	gittest.Git(t, one, "push", "-q", push, ":branch")
	gittest.Git(t, dir, "fsck", "--strict")
	if refs := gittest.Git(t, one, "ls-remote", read); strings.Contains(refs, "branch") || !strings.Contains(refs, "refs/tags/v1") {
		t.Error(refs)
	}
}

func TestShallowClonesDeepen(t *testing.T) {
	read, push, _ := serve(t)
	full := clone(t, read)
	for i := range 6 {
		commit(t, full, "index.html", strconv.Itoa(i))
	}
	gittest.Git(t, full, "push", "-q", push, "main")
	flat := clone(t, read, "--depth", "1")
	count := func() string { return gittest.Git(t, flat, "rev-list", "--count", "HEAD") }
	if got := count(); got != "1" {
		t.Errorf("--depth 1: %s commits", got)
	}
	last := commit(t, full, "index.html", "new")
	gittest.Git(t, full, "push", "-q", push, "main")
	gittest.Git(t, flat, "fetch", "-q", "--depth", "1")
	gittest.Git(t, flat, "reset", "-q", "--hard", "origin/main")
	if got := gittest.Git(t, flat, "rev-parse", "HEAD"); got != last || count() != "1" {
		t.Errorf("a shallow fetch: %s with %s commits", got, count())
	}
	gittest.Git(t, flat, "fetch", "-q", "--depth", "3")
	gittest.Git(t, flat, "fetch", "-q", "--unshallow")
	gittest.Git(t, flat, "fsck")
	if got := gittest.Git(t, flat, "rev-list", "--count", "origin/main"); got != "8" {
		t.Errorf("--unshallow: %s commits, want 8", got)
	}
}

func TestAPushThatIsNotWholeChangesNothing(t *testing.T) {
	read, push, _ := serve(t)
	dir := clone(t, read)
	before := gittest.Git(t, dir, "rev-parse", "HEAD")
	// A commit whose tree is nowhere.
	missing := strings.Repeat("1", 40)
	raw := filepath.Join(t.TempDir(), "commit")
	if err := os.WriteFile(raw, []byte("tree "+missing+"\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nbroken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := gittest.Git(t, dir, "hash-object", "-t", "commit", "--literally", "-w", raw)
	body := pushBody(t, dir, "refs/heads/main", before, broken)
	resp, text := post(t, push, body)
	if resp.StatusCode != 200 || !strings.Contains(text, "ng refs/heads/main objects are missing") {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	resp, text = post(t, push, body[:len(body)-30])
	if resp.StatusCode != 200 || !strings.Contains(text, "unpack the pack is broken") || !strings.Contains(text, "ng refs/heads/main") {
		t.Errorf("broken off: %d %q", resp.StatusCode, text)
	}
	for want, b := range map[string][]byte{
		"faster":   pushBody(t, dir, "refs/heads/main", missing, before),
		"branches": pushBody(t, dir, "refs/notes/x", strings.Repeat("0", 40), before),
	} {
		if resp, text := post(t, push, b); resp.StatusCode != 200 || !strings.Contains(text, want) {
			t.Errorf("%d %q, want %s", resp.StatusCode, text, want)
		}
	}
	if got := gittest.Git(t, dir, "ls-remote", read, "main"); !strings.HasPrefix(got, before) {
		t.Errorf("main is at %s", got)
	}
}

// pushBody is a push of one object, as git sends it.
func pushBody(t *testing.T, dir, ref, from, to string) []byte {
	t.Helper()
	line := from + " " + to + " " + ref + "\x00 report-status"
	var b bytes.Buffer
	b.WriteString(strings.ToLower(hex.EncodeToString([]byte{byte((len(line) + 4) >> 8), byte(len(line) + 4)})) + line + "0000")
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte(to+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := gittest.Git(t, dir, "-c", "alias.pack=!git pack-objects -q "+list+" < "+list, "pack")
	pack, err := os.ReadFile(list + "-" + name + ".pack")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(pack)
	return b.Bytes()
}

func post(t *testing.T, url string, body []byte) (*http.Response, string) {
	t.Helper()
	return processtest.Do(t, http.DefaultClient, http.MethodPost, url+"/git-receive-pack", string(body))
}

func TestAPushThatIsTooLargeIsRefused(t *testing.T) {
	_, push, _ := serve(t, "GITSERVER_MAX_PUSH", "10KiB")
	dir := clone(t, push)
	var noise strings.Builder // that does not compress
	for sum := sha256.Sum256(nil); noise.Len() < 40<<10; sum = sha256.Sum256(sum[:]) {
		noise.Write(sum[:])
	}
	commit(t, dir, "noise", noise.String())
	if out, err := gittest.Try(t, dir, "push", push, "main"); err == nil || !strings.Contains(out, "413") {
		t.Errorf("%s", out)
	}
}

func TestWhatIsNoGitIsRefused(t *testing.T) {
	read, push, _ := serve(t)
	for _, c := range []struct {
		method, url, body string
		status            int
		problem           string
	}{
		{"GET", read + "/info/refs", "", 403, "git-service"},
		{"GET", read + "/info/refs?service=git-upload-archive", "", 403, "git-service"},
		{"GET", read + "/../etc/passwd", "", 404, "no-such-resource"},
		{"GET", read + "/HEAD", "", 404, "no-such-resource"},
		{"POST", read + "/git-upload-pack", "hello", 400, "git-request"},
		{"POST", read + "/git-upload-pack", "0032want " + strings.Repeat("1", 40) + "\n00000009done\n", 400, "git-request"},
		{"POST", push + "/git-receive-pack", "hello", 400, "git-request"},
		{"POST", push + "/git-receive-pack", "", 400, "git-request"},
	} {
		resp, body := processtest.Do(t, http.DefaultClient, c.method, c.url, c.body)
		if resp.StatusCode != c.status || !strings.Contains(body, "#"+c.problem) {
			t.Errorf("%s %s: %d %s", c.method, c.url, resp.StatusCode, body)
		}
	}
	resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPost, read+"/git-upload-pack", "x", "Content-Encoding", "br")
	if resp.StatusCode != 400 {
		t.Errorf("an unknown coding: %d", resp.StatusCode)
	}
}

func TestWhatWasOverwrittenIsNotGivenOut(t *testing.T) {
	read, push, _ := serve(t)
	dir := clone(t, read)
	secret := commit(t, dir, "secret", "password")
	gittest.Git(t, dir, "push", "-q", push, "main")
	gittest.Git(t, dir, "reset", "-q", "--hard", "HEAD~1")
	gittest.Git(t, dir, "push", "-q", "--force", push, "main")
	resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPost, read+"/git-upload-pack", "0032want "+secret+"\n00000009done\n")
	if resp.StatusCode != 400 {
		t.Errorf("%d: a commit that no reference leads to is given out", resp.StatusCode)
	}
}

func TestTheHookIsSigned(t *testing.T) {
	calls := make(chan string, 4)
	key := "another-secret-of-length"
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		if r.Header.Get("X-Hub-Signature-256") == "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			calls <- string(body)
		}
	}))
	defer hook.Close()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	read, push, _ := serve(t, "GITSERVER_HOOK_URL", hook.URL, "GITSERVER_HOOK_SECRET_FILE", file)
	dir := clone(t, read)
	hash := commit(t, dir, "index.html", "new")
	gittest.Git(t, dir, "push", "-q", push, "main")
	if body := <-calls; !strings.Contains(body, `"ref":"refs/heads/main"`) || !strings.Contains(body, `"after":"`+hash) {
		t.Error(body)
	}
}

func TestAWrongConfigurationNamesEverything(t *testing.T) {
	cfg, err := process.Parse[gitserver.Config](gitserver.Program, map[string]string{
		"GITSERVER_NAME": "../x", "GITSERVER_BRANCH": "a b", "GITSERVER_MAX_FETCHES": "0", "GITSERVER_HOOK_URL": "ftp://x",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = gitserver.Run(t.Context(), cfg)
	for _, want := range []string{"GITSERVER_NAME", "GITSERVER_BRANCH", "GITSERVER_MAX_FETCHES", "GITSERVER_HOOK_URL: is not", "set both"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

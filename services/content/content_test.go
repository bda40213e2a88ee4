package content_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/content"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const immutable = "data.0123456789abcdef.bin"

// serve starts content on a folder with three files, and returns its URL and the folder.
func serve(t *testing.T) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(filepath.Dir(dir), "outside"), "secret")
	write(t, filepath.Join(dir, immutable), "0123456789")
	write(t, filepath.Join(dir, "plain.txt"), "one")
	write(t, filepath.Join(dir, ".hidden"), "hidden")
	if err := os.Symlink("../outside", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	cfg := processtest.Parse[content.Config](t, content.Program, map[string]string{"CONTENT_DIR": dir})
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return content.Run(ctx, cfg) })
	return "http://" + running.Data, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNothingOutsideTheFolderIsServed(t *testing.T) {
	url, _ := serve(t)
	for _, path := range []string{"/../outside", "/..%2foutside", "/%2e%2e%2foutside", "/link", "/.hidden", "/%2ehidden", "/none", "/a%00b", "/..", "/..%5coutside"} {
		resp, body := processtest.Get(t, url+path)
		if resp.StatusCode == 200 || strings.Contains(body, "secret") || strings.Contains(body, "hidden") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestANameIsUnescapedOnce(t *testing.T) {
	url, dir := serve(t)
	write(t, filepath.Join(dir, "100%.txt"), "all")
	write(t, filepath.Join(dir, "%41.txt"), "no letter")
	for path, want := range map[string]string{"/100%25.txt": "all", "/%2541.txt": "no letter", "/%70lain.txt": "one", "/%31%30%30%25.txt": "all"} {
		if resp, body := processtest.Get(t, url+path); resp.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, body, want)
		}
	}
}

func TestRangesResumeOnlyTheSameFile(t *testing.T) {
	url, dir := serve(t)
	resp, body := processtest.Get(t, url+"/"+immutable, "Range", "bytes=4-")
	etag := resp.Header.Get("ETag")
	if resp.StatusCode != 206 || body != "456789" || etag == "" {
		t.Fatalf("%d %q, tag %q", resp.StatusCode, body, etag)
	}
	write(t, filepath.Join(dir, immutable), "abcdefghij")
	resp, body = processtest.Get(t, url+"/"+immutable, "Range", "bytes=4-", "If-Range", etag)
	if resp.StatusCode != 200 || body != "abcdefghij" {
		t.Errorf("after the file changed: %d %q, want the whole new file", resp.StatusCode, body)
	}
	resp, _ = processtest.Get(t, url+"/"+immutable, "Range", "bytes=10-")
	if resp.StatusCode != 416 {
		t.Errorf("a range past the end: %d, want 416", resp.StatusCode)
	}
}

func TestOnlyDigestNamesAreImmutable(t *testing.T) {
	url, _ := serve(t)
	resp, _ := processtest.Get(t, url+"/"+immutable)
	if !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %q", immutable, resp.Header.Get("Cache-Control"))
	}
	resp, _ = processtest.Get(t, url+"/plain.txt")
	if resp.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("plain.txt: %q", resp.Header.Get("Cache-Control"))
	}
	resp, _ = processtest.Get(t, url+"/plain.txt", "If-None-Match", resp.Header.Get("ETag"))
	if resp.StatusCode != 304 {
		t.Errorf("validator: %d, want 304", resp.StatusCode)
	}
}

func TestListNamesTheServedFilesOnly(t *testing.T) {
	url, _ := serve(t)
	_, body := processtest.Get(t, url+"/")
	if !strings.Contains(body, immutable) || !strings.Contains(body, `"size":3`) || strings.Contains(body, "hidden") || strings.Contains(body, "link") {
		t.Error(body)
	}
}

func TestMissingFolderIsAnErrorAtStart(t *testing.T) {
	cfg, err := process.Parse[content.Config](content.Program, map[string]string{"CONTENT_DIR": "/nonexistent/folder"})
	if err != nil {
		t.Fatal(err)
	}
	if err := content.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "CONTENT_DIR") {
		t.Errorf("error %v", err)
	}
}

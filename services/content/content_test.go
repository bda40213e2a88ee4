package content_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
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
	cfg, err := process.Parse[content.Config](content.Program, map[string]string{
		"CONTENT_DIR": dir, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "error",
	})
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	cfg.OnListen = func(data, _ net.Addr) { ready <- "http://" + data.String() }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- content.Run(ctx, cfg) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return <-ready, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestNothingOutsideTheFolderIsServed(t *testing.T) {
	url, _ := serve(t)
	for _, path := range []string{"/../outside", "/..%2foutside", "/%2e%2e%2foutside", "/link", "/.hidden", "/%2ehidden", "/none", "/a%00b", "/..", "/..%5coutside"} {
		resp, body := get(t, url+path)
		if resp.StatusCode == 200 || strings.Contains(body, "secret") || strings.Contains(body, "hidden") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestRangesResumeOnlyTheSameFile(t *testing.T) {
	url, dir := serve(t)
	resp, body := get(t, url+"/"+immutable, "Range", "bytes=4-")
	etag := resp.Header.Get("ETag")
	if resp.StatusCode != 206 || body != "456789" || etag == "" {
		t.Fatalf("%d %q, tag %q", resp.StatusCode, body, etag)
	}
	write(t, filepath.Join(dir, immutable), "abcdefghij")
	resp, body = get(t, url+"/"+immutable, "Range", "bytes=4-", "If-Range", etag)
	if resp.StatusCode != 200 || body != "abcdefghij" {
		t.Errorf("after the file changed: %d %q, want the whole new file", resp.StatusCode, body)
	}
	resp, _ = get(t, url+"/"+immutable, "Range", "bytes=10-")
	if resp.StatusCode != 416 {
		t.Errorf("a range past the end: %d, want 416", resp.StatusCode)
	}
}

func TestOnlyDigestNamesAreImmutable(t *testing.T) {
	url, _ := serve(t)
	resp, _ := get(t, url+"/"+immutable)
	if !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %q", immutable, resp.Header.Get("Cache-Control"))
	}
	resp, _ = get(t, url+"/plain.txt")
	if resp.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("plain.txt: %q", resp.Header.Get("Cache-Control"))
	}
	resp, _ = get(t, url+"/plain.txt", "If-None-Match", resp.Header.Get("ETag"))
	if resp.StatusCode != 304 {
		t.Errorf("validator: %d, want 304", resp.StatusCode)
	}
}

func TestListNamesTheServedFilesOnly(t *testing.T) {
	url, _ := serve(t)
	_, body := get(t, url+"/")
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

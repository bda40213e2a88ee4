package site_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// revision writes a folder, and swaps the link to it.
func revision(t *testing.T, dir, name string, files ...string) {
	t.Helper()
	for i := 0; i+1 < len(files); i += 2 {
		path := filepath.Join(dir, name, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fresh := filepath.Join(dir, "fresh")
	if err := os.Symlink(name, fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(dir, "current")); err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T) (url, admin, dir string) {
	t.Helper()
	dir = t.TempDir()
	cfg := processtest.Parse[site.Config](t, site.Program, map[string]string{"SITE_DIR": filepath.Join(dir, "current")})
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return site.Run(ctx, cfg) })
	return "http://" + running.Data, "http://" + running.Admin, dir
}

func TestBeforeTheFirstRevisionItIsNotReady(t *testing.T) {
	url, admin, dir := serve(t)
	if resp, body := processtest.Get(t, url+"/"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "#site-not-there") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := processtest.Get(t, admin+"/readyz"); resp.StatusCode != 503 {
		t.Errorf("ready: %d", resp.StatusCode)
	}
	revision(t, dir, "one", "index.html", "1")
	if resp, _ := processtest.Get(t, admin+"/readyz"); resp.StatusCode != 200 {
		t.Errorf("with a revision: %d", resp.StatusCode)
	}
}

func TestNothingOutsideOfTheRevisionIsServed(t *testing.T) {
	url, _, dir := serve(t)
	revision(t, dir, "one", "index.html", `page <!--#include "link.html" --><!--#include "../secret" --><!--#include ".hidden" -->`,
		".hidden", "TOP SECRET", "d/.git/config", "TOP SECRET", "d/page", "x")
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("TOP SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "one", "link.html")); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/../secret": 404, "/%2e%2e/secret": 404, "/link.html": 404, "/.hidden": 404, "/d/.git/config": 404, "/d": 404, "/none": 404, "/d/page/x": 404,
		"/a%00b": 404, "//etc/passwd": 404, "/d/../index.html": 404, "/": 200, "/index.html": 200, "/d/page": 200,
	} {
		resp, body := processtest.Get(t, url+path)
		if resp.StatusCode != status || strings.Contains(body, "TOP SECRET") {
			t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, status)
		}
	}
}

func TestAPageIsOfOneRevision(t *testing.T) {
	url, _, dir := serve(t)
	page := func(n int) []string {
		v := fmt.Sprintf("v%d ", n)
		return []string{"index.html", v + `<!--#include "a.html" --><!--#include "b.html" -->`, "a.html", v, "b.html", v + "\n"}
	}
	revision(t, dir, "r0", page(0)...)
	swapping := make(chan struct{})
	go func() {
		defer close(swapping)
		for n := range 300 {
			revision(t, dir, fmt.Sprintf("r%d", n+1), page(n+1)...)
		}
	}()
	for done := false; !done; {
		select {
		case <-swapping:
			done = true
		default:
		}
		resp, body := processtest.Get(t, url+"/")
		v := strings.Fields(body)
		if len(v) != 3 || v[0] != v[1] || v[1] != v[2] || v[0][1:] != resp.Header.Get("X-Revision")[1:] {
			t.Fatalf("%d %q, revision %s", resp.StatusCode, body, resp.Header.Get("X-Revision"))
		}
	}
}

func TestAPageThatDidNotChangeIsNotSentAgain(t *testing.T) {
	url, _, dir := serve(t)
	revision(t, dir, "one", "index.html", "1", "style.css", "body {}")
	resp, _ := processtest.Get(t, url+"/style.css")
	if resp.Header.Get("ETag") != `"one"` || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%v", resp.Header)
	}
	if resp, _ := processtest.Get(t, url+"/style.css", "If-None-Match", `"one"`); resp.StatusCode != 304 {
		t.Errorf("%d, want 304", resp.StatusCode)
	}
	revision(t, dir, "two", "style.css", "body {}")
	if resp, _ := processtest.Get(t, url+"/style.css", "If-None-Match", `"one"`); resp.StatusCode != 200 {
		t.Errorf("of another revision: %d", resp.StatusCode)
	}
}

package dictionary_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/services/dictionary/data"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

// impatient makes a replica try again at once.
func impatient(url, dir string) map[string]string {
	return map[string]string{"DICTIONARY_DATA_URL": url, "DICTIONARY_CACHE_DIR": dir, "DICTIONARY_RETRY_BASE": "1ms", "DICTIONARY_RETRY_MAX": "5ms"}
}

func TestItIsLiveAtOnceAndReadyWhenLoaded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		http.ServeFile(w, r, wordnettest.Packed())
	}))
	t.Cleanup(origin.Close)
	r := start(t, impatient(origin.URL+"/"+data.File, t.TempDir()))
	r.await(t, "/livez", http.StatusOK, "")
	r.await(t, "/readyz", http.StatusServiceUnavailable, "not loaded yet")
	for _, path := range []string{"/dog", "/", "/v1/words/dog", "/v1/suggest?prefix=d", "/v1/random"} {
		resp, _ := r.get(t, path)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s while loading: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	if resp, _ := r.get(t, "/v1/recent"); resp.StatusCode != 200 {
		t.Errorf("recent words need no data: %d", resp.StatusCode)
	}
	close(release)
	r.await(t, "/readyz", http.StatusOK, "")
	if resp, _ := r.get(t, "/dog"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestAWrongDigestIsSaidAndTriedAgain(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !mended.Load() {
			_, _ = w.Write([]byte("something else"))
			return
		}
		http.ServeFile(w, r, filepath.Join(filepath.Dir(wordnettest.Packed()), data.File))
	}))
	t.Cleanup(origin.Close)
	// A name without .gz: what arrives is what is checked.
	env := impatient(origin.URL+"/plain", t.TempDir())
	r := start(t, env)
	r.await(t, "/readyz", http.StatusServiceUnavailable, "wrong digest: want "+data.SHA256)
	r.await(t, "/metrics", http.StatusOK, `dictionary_data_loads_total{outcome="wrong_digest"}`)
	r.await(t, "/livez", http.StatusOK, "")
	if err := r.Stop(); err != nil {
		t.Error(err)
	}

	mended.Store(true)
	env["DICTIONARY_DATA_URL"] = origin.URL + "/" + data.File
	ready(t, env)
}

func TestADataServerThatComesLateIsWaitedFor(t *testing.T) {
	t.Parallel()
	addr := nettest.Refuse(t) // nobody answers there for now
	r := start(t, impatient(fmt.Sprintf("http://%s/%s", addr, data.File), t.TempDir()))
	r.await(t, "/readyz", http.StatusServiceUnavailable, "refused")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	origin := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(wordnettest.Packed())))}}
	origin.Start()
	t.Cleanup(origin.Close)
	r.await(t, "/readyz", http.StatusOK, "")
}

func TestARestartedReplicaNeedsNoDataServer(t *testing.T) {
	t.Parallel()
	origin := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(wordnettest.Packed()))))
	dir := t.TempDir()
	r := ready(t, impatient(origin.URL+"/"+data.File, dir))
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	origin.Close()
	ready(t, impatient(origin.URL+"/"+data.File, dir))
}

func TestAReplicaStopsWhileItLoads(t *testing.T) {
	t.Parallel()
	origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(origin.Close)
	r := start(t, impatient(origin.URL+"/x", t.TempDir()))
	r.await(t, "/livez", http.StatusOK, "")
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAFileWithTheRightDigestThatIsNoDictionaryIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.bin")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := impatient("file:"+path, t.TempDir())
	env["DICTIONARY_DATA_SHA256"] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	r := start(t, env)
	r.await(t, "/readyz", http.StatusServiceUnavailable, "not a valid dictionary file")
}

func TestTheDataIsDescribedAndLicensed(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(wordnettest.Packed())
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"` + data.File + `"`, `"` + data.SHA256 + `"`, fmt.Sprintf(`"size": %d`, len(wordnettest.Bytes(t)))} {
		if !strings.Contains(string(manifest), want) {
			t.Errorf("manifest.json lacks %s", want)
		}
	}
	licence, err := os.ReadFile(filepath.Join(dir, "WORDNET-LICENSE"))
	if err != nil || !strings.Contains(string(licence), "WordNet 3.0 Copyright 2006 by Princeton University") {
		t.Errorf("the licence is missing: %v", err)
	}
}

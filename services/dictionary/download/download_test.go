package download_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/dictionary/download"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is 300 KB that do not compress, and their digest.
var content, digest = func() ([]byte, string) {
	b := make([]byte, 300_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:])
}()

func packed(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// origin is a data server that misbehaves as it is told, and remembers what it
// was asked.
type origin struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

// serve starts an origin; h is given the number of the request, from 1.
func serve(t *testing.T, h func(n int, w http.ResponseWriter, r *http.Request)) *origin {
	t.Helper()
	o := &origin{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests = append(o.requests, r)
		n := len(o.requests)
		o.mu.Unlock()
		h(n, w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

func (o *origin) header(n int, name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests[n-1].Header.Get(name)
}

// file serves bytes with an entity tag and ranges.
func file(w http.ResponseWriter, r *http.Request, tag string, b []byte) {
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// cut promises b whole and dies after n bytes of it.
func cut(w http.ResponseWriter, tag string, b []byte, n int) {
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	_, _ = w.Write(b[:n])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func downloader(t *testing.T, f download.File) *download.Downloader {
	t.Helper()
	if f.SHA256 == "" {
		f.SHA256 = digest
	}
	if f.Limit == 0 {
		f.Limit = 1 << 20
	}
	if f.Silent == 0 {
		f.Silent = 5 * time.Second
	}
	d, err := download.New(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// mustFetch fetches and compares with content.
func mustFetch(t *testing.T, d *download.Downloader) *download.Result {
	t.Helper()
	f, err := d.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v; want the content", len(got), err)
	}
	return f
}

func mustFail(t *testing.T, d *download.Downloader, want error) {
	t.Helper()
	f, err := d.Fetch(t.Context())
	if err == nil {
		_ = f.Close()
		t.Fatalf("fetched, want %v", want)
	}
	if want != nil && !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

func leftovers(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, strings.TrimPrefix(e.Name(), digest))
	}
	return names
}

func TestAServerThatDiesMidwayIsResumedWhereItStopped(t *testing.T) {
	t.Parallel()
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			cut(w, `"one"`, content, 100_000)
		}
		file(w, r, `"one"`, content)
	})
	dir := t.TempDir()
	d := downloader(t, download.File{URL: o.URL, Dir: dir})
	mustFail(t, d, io.ErrUnexpectedEOF)
	if f := mustFetch(t, d); f.From != download.Downloaded {
		t.Errorf("from %s", f.From)
	}
	if got := o.header(2, "Range"); got != "bytes=100000-" || o.header(2, "If-Range") != `"one"` {
		t.Errorf("Range %q, If-Range %q", got, o.header(2, "If-Range"))
	}
	if got := leftovers(t, dir); len(got) != 1 || got[0] != ".bin" {
		t.Errorf("left in the folder: %v", got)
	}
}

func TestTheNextProcessResumesToo(t *testing.T) {
	t.Parallel()
	z := packed(t, content)
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			cut(w, `"one"`, z, 50_000)
		}
		file(w, r, `"one"`, z)
	})
	dir := t.TempDir()
	first := downloader(t, download.File{URL: o.URL + "/x.bin.gz", Dir: dir})
	mustFail(t, first, io.ErrUnexpectedEOF)
	first.Close()
	mustFetch(t, downloader(t, download.File{URL: o.URL + "/x.bin.gz", Dir: dir}))
	if got := o.header(2, "Range"); got != "bytes=50000-" {
		t.Errorf("Range %q", got)
	}
}

func TestAFileThatChangedInBetweenIsFetchedWhole(t *testing.T) {
	t.Parallel()
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			cut(w, `"old"`, make([]byte, 200_000), 100_000)
		}
		file(w, r, `"new"`, content)
	})
	d := downloader(t, download.File{URL: o.URL, Dir: t.TempDir()})
	mustFail(t, d, io.ErrUnexpectedEOF)
	mustFetch(t, d)
}

func TestAServerWithoutRangesIsUnderstood(t *testing.T) {
	t.Parallel()
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			cut(w, `"one"`, content, 100_000)
		}
		_, _ = w.Write(content) // 200 whatever was asked
	})
	d := downloader(t, download.File{URL: o.URL, Dir: t.TempDir()})
	mustFail(t, d, io.ErrUnexpectedEOF)
	mustFetch(t, d)
}

func TestAWrongRangeIsNotGluedOn(t *testing.T) {
	t.Parallel()
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			cut(w, `"one"`, content, 100_000)
		case 2: // from another place than was asked
			w.Header().Set("Content-Range", "bytes 5-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(content[5:])
		default:
			file(w, r, `"one"`, content)
		}
	})
	d := downloader(t, download.File{URL: o.URL, Dir: t.TempDir()})
	mustFail(t, d, io.ErrUnexpectedEOF)
	mustFail(t, d, download.ErrAnswer)
	mustFetch(t, d)
	if got := o.header(3, "Range"); got != "" {
		t.Errorf("the third request goes on at %q: what arrived should have been thrown away", got)
	}
}

func TestWrongDigestIsRefusedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	wrong := bytes.Clone(content)
	wrong[12345] ^= 1
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			file(w, r, `"one"`, wrong)
			return
		}
		file(w, r, `"two"`, content)
	})
	dir := t.TempDir()
	d := downloader(t, download.File{URL: o.URL, Dir: dir})
	mustFail(t, d, download.ErrDigest)
	if got := leftovers(t, dir); len(got) != 0 {
		t.Errorf("left in the folder: %v", got)
	}
	mustFetch(t, d) // the server was mended
}

func TestWrongLengthIsRefused(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{"short": content[:299_999], "empty": nil, "long": append(bytes.Clone(content), 0)} {
		o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"one"`, b) })
		t.Log(name)
		mustFail(t, downloader(t, download.File{URL: o.URL, Dir: t.TempDir()}), download.ErrDigest)
	}
}

func TestDamagedArchivesAreRefused(t *testing.T) {
	t.Parallel()
	z := packed(t, content)
	broken := bytes.Clone(z)
	broken[len(broken)-6] ^= 0xff // the checksum
	for name, b := range map[string][]byte{"cut": z[:len(z)/2], "checksum": broken, "no gzip": []byte("<html>not here</html>"), "empty": nil} {
		o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"one"`, b) })
		dir := t.TempDir()
		t.Log(name)
		mustFail(t, downloader(t, download.File{URL: o.URL + "/x.gz", Dir: dir}), download.ErrDamaged)
		if got := leftovers(t, dir); len(got) != 0 {
			t.Errorf("%s: left in the folder: %v", name, got)
		}
	}
}

func TestBoundsHoldForTransferAndContent(t *testing.T) {
	t.Parallel()
	bomb := packed(t, make([]byte, 8<<20)) // 8 KB that unpack to 8 MB
	endless := func(_ int, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(content); err != nil {
				return
			}
		}
	}
	announced := func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"x"`, make([]byte, 2<<20)) }
	for name, o := range map[string]*origin{
		"/endless": serve(t, endless), "/announced": serve(t, announced),
		"/bomb.gz": serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"x"`, bomb) }),
	} {
		t.Log(name)
		mustFail(t, downloader(t, download.File{URL: o.URL + name, Dir: t.TempDir()}), download.ErrTooBig)
	}
}

func TestUselessAnswersAreNamed(t *testing.T) {
	t.Parallel()
	o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/good":
			file(w, r, `"one"`, content)
		case "/encoded":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed(t, content))
		case "/error":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.NotFound(w, r)
		}
	})
	for _, path := range []string{"/loop", "/file", "/encoded", "/error", "/none"} {
		t.Log(path)
		mustFail(t, downloader(t, download.File{URL: o.URL + path, Dir: t.TempDir()}), download.ErrAnswer)
	}
	if n := o.count(); n > 12 {
		t.Errorf("%d requests: the loop was followed for too long", n)
	}
	mustFetch(t, downloader(t, download.File{URL: o.URL + "/once", Dir: t.TempDir()}))
}

func TestASilentServerIsGivenUpAndResumed(t *testing.T) {
	t.Parallel()
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("ETag", `"one"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content[:100_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // says no more
			return
		}
		file(w, r, `"one"`, content)
	})
	d := downloader(t, download.File{URL: o.URL, Dir: t.TempDir(), Silent: 200 * time.Millisecond})
	mustFail(t, d, download.ErrSilent)
	mustFetch(t, d)
	if got := o.header(2, "Range"); got != "bytes=100000-" {
		t.Errorf("Range %q", got)
	}
}

func TestADeadServerDoesNotMatterWithAGoodCachedCopy(t *testing.T) {
	t.Parallel()
	o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"one"`, content) })
	dir := t.TempDir()
	mustFetch(t, downloader(t, download.File{URL: o.URL, Dir: dir}))
	o.Close()
	if f := mustFetch(t, downloader(t, download.File{URL: o.URL, Dir: dir})); f.From != download.Cached {
		t.Errorf("from %s", f.From)
	}
}

func TestADamagedCachedCopyIsReplaced(t *testing.T) {
	t.Parallel()
	o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"one"`, content) })
	dir := t.TempDir()
	cached := filepath.Join(dir, digest+".bin")
	stale := filepath.Join(dir, strings.Repeat("0", 64)+".bin")
	foreign := filepath.Join(dir, "notes.txt")
	for _, name := range []string{cached, stale, foreign} {
		if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f := mustFetch(t, downloader(t, download.File{URL: o.URL, Dir: dir})); f.From != download.Downloaded {
		t.Errorf("from %s", f.From)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the file of another version is still there")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a file that is not ours was removed")
	}
}

func TestReplicasMayShareAFolder(t *testing.T) {
	t.Parallel()
	z := packed(t, content)
	all := make(chan struct{})
	o := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 3 {
			close(all)
		}
		<-all // nobody finishes before everybody has begun
		file(w, r, `"one"`, z)
	})
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		d := downloader(t, download.File{URL: o.URL + "/x.gz", Dir: dir})
		wg.Go(func() {
			f, err := d.Fetch(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			_ = f.Close()
		})
	}
	wg.Wait()
	if got := leftovers(t, dir); len(got) != 1 || got[0] != ".bin" {
		t.Errorf("left in the folder: %v", got)
	}
}

func TestLocalFilesNeedNoServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, zipped := filepath.Join(dir, "x.bin"), filepath.Join(dir, "x.bin.gz")
	if err := errors.Join(os.WriteFile(plain, content, 0o600), os.WriteFile(zipped, packed(t, content), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []download.File{{URL: "file://" + plain}, {URL: "file:" + plain}, {URL: "file://" + zipped, Dir: t.TempDir()}, {URL: "file:" + zipped}} {
		t.Log(f.URL)
		mustFetch(t, downloader(t, f))
	}
	mustFail(t, downloader(t, download.File{URL: "file:" + dir + "/none.gz"}), os.ErrNotExist)
	mustFail(t, downloader(t, download.File{URL: "file:" + zipped, SHA256: strings.Repeat("0", 64)}), download.ErrDigest)
}

func TestAFolderThatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { file(w, r, `"one"`, content) })
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustFail(t, downloader(t, download.File{URL: o.URL, Dir: filepath.Join(blocked, "cache")}), nil)
}

func TestCancellingEndsATransferAtOnce(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	o := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	d := downloader(t, download.File{URL: o.URL, Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := d.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWrongParametersAreRefused(t *testing.T) {
	t.Parallel()
	for _, f := range []download.File{
		{URL: "ftp://x/y", SHA256: digest}, {URL: "http:", SHA256: digest}, {URL: "file:", SHA256: digest}, {URL: "file://host/x", SHA256: digest},
		{URL: "://", SHA256: digest}, {URL: "x.gz", SHA256: digest}, {URL: "http://x/", SHA256: "abc"}, {URL: "http://x/", SHA256: strings.Repeat("g", 64)},
	} {
		if _, err := download.New(f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
}

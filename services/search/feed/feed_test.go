package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	openapi.Compare(t, "openapi.yaml", (&feed{}).routes)
}

// A root takes documents and marks. It is as unkind as the test says.
type root struct {
	*httptest.Server

	mu        sync.Mutex // guards all below
	documents map[string]document.Document
	batches   []int
	marks     map[string]int // name → documents that there were
	requests  int
	unkind    func(n int, w http.ResponseWriter, r *http.Request) bool // answers request n itself
}

func newRoot(t *testing.T, unkind func(int, http.ResponseWriter, *http.Request) bool) *root {
	t.Helper()
	r := &root{documents: map[string]document.Document{}, marks: map[string]int{}, unkind: unkind}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *root) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body) // what is cut off is no JSON
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if r.unkind != nil && r.unkind(r.requests, w, req) {
		return
	}
	name, mark := strings.CutPrefix(req.URL.Path, "/v1/marks/")
	switch {
	case mark && req.Method == http.MethodGet:
		if _, there := r.marks[name]; !there {
			problem.New(404, "mark-not-found", "no").Write(w)
		}
	case mark && req.Method == http.MethodPut:
		r.marks[name] = len(r.documents)
	case req.Method == http.MethodPost && req.URL.Path == "/v1/documents":
		r.take(w, body)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (r *root) take(w http.ResponseWriter, body []byte) {
	count := 0
	scanner := bufio.NewScanner(bytes.NewReader(body))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		d, err := document.Decode(scanner.Bytes())
		if err != nil {
			problem.New(400, "document-invalid", err.Error()).Write(w)
			return
		}
		r.documents[d.ID] = d
		count++
	}
	if len(body) > 1<<20 || count > 1000 {
		problem.New(413, "body-too-large", "").Write(w)
		return
	}
	r.batches = append(r.batches, count)
}

// start runs a feed of a corpus.
func start(t *testing.T, r *root, corpus string, env map[string]string) *processtest.Running {
	t.Helper()
	values := map[string]string{
		"SEARCHFEED_CORPUS": corpus, "SEARCHFEED_SEARCH": strings.TrimPrefix(r.URL, "http://"), "SEARCHFEED_MARK": "corpus", "EJECT_AFTER": "0", "LOG_LEVEL": "ERROR+1",
	}
	maps.Copy(values, env)
	cfg := processtest.Parse[Config](t, Program, values)
	return processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
}

func progress(t *testing.T, r *processtest.Running) (p Progress) {
	t.Helper()
	_, body := processtest.Get(t, "http://"+r.Data+"/v1/status")
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func awaitReady(t *testing.T, r *processtest.Running) {
	t.Helper()
	await.That(t, "the feed is ready", func() bool {
		resp, _ := processtest.Get(t, "http://"+r.Admin+"/readyz")
		return resp.StatusCode == http.StatusOK
	})
}

// corpus writes n lines, and those in between that are given by number.
func corpus(n int, other map[int]string) []byte {
	var b bytes.Buffer
	for i := 1; i <= n; i++ {
		if line, given := other[i]; given {
			fmt.Fprintln(&b, line)
			continue
		}
		fmt.Fprintf(&b, `{"_id":"d%d","title":"t","text":"text %d","metadata":{"url":"x"}}`+"\n", i, i)
	}
	return b.Bytes()
}

func packedUp(b []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(b) // into memory
	_ = w.Close()
	return packed.Bytes()
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

func TestACorpusIsBroughtInOnce(t *testing.T) {
	r := newRoot(t, nil)
	source := file(t, "corpus.jsonl.gz", packedUp(corpus(1234, map[int]string{7: "", 1234: `{"id":"last","text":"x"}`})))
	f := start(t, r, source, map[string]string{"SEARCHFEED_MARK": ""})
	awaitReady(t, f)
	if p := progress(t, f); p.State != Done || p.Documents != 1233 || p.Lines != 1234 || p.Wrong != 0 || p.Mark != "corpus.jsonl.gz" {
		t.Errorf("%+v", p)
	}
	if fmt.Sprint(r.batches) != "[500 500 233]" || fmt.Sprint(r.marks) != "map[corpus.jsonl.gz:1233]" {
		t.Errorf("batches %v, marks %v", r.batches, r.marks)
	}
	again := start(t, r, source, map[string]string{"SEARCHFEED_MARK": ""})
	awaitReady(t, again)
	if p := progress(t, again); p.State != Known || p.Documents != 0 || len(r.batches) != 3 {
		t.Errorf("a second time: %+v, %d batches", p, len(r.batches))
	}
}

func TestWhatFailsIsTriedAgainAndNothingIsMissing(t *testing.T) {
	r := newRoot(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		switch n % 4 {
		case 1:
			problem.New(503, "log-unavailable", "").Write(w)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			problem.New(504, "outcome-unknown", "").Write(w)
		default:
			return false
		}
		return true
	})
	f := start(t, r, file(t, "c.jsonl", corpus(40, nil)), map[string]string{"SEARCHFEED_BATCH": "10"})
	awaitReady(t, f)
	if len(r.documents) != 40 || r.marks["corpus"] != 40 {
		t.Errorf("%d documents, marks %v", len(r.documents), r.marks)
	}
}

func TestADownloadThatBreaksOffBeginsAnew(t *testing.T) {
	content := corpus(2000, nil)
	var mu sync.Mutex
	downloads := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		downloads++
		switch downloads {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			_, _ = w.Write(content[:len(content)/2])
			_ = http.NewResponseController(w).Flush() // the client is told by the end of the connection
			panic(http.ErrAbortHandler)
		default:
			_, _ = w.Write(content) // the client is there until it has all
		}
	}))
	t.Cleanup(server.Close)
	r := newRoot(t, nil)
	f := start(t, r, server.URL+"/a/c.jsonl?x=1", map[string]string{"SEARCHFEED_MARK": ""})
	awaitReady(t, f)
	if len(r.documents) != 2000 || r.marks["c.jsonl"] != 2000 || downloads != 3 {
		t.Errorf("%d documents, marks %v, %d downloads", len(r.documents), r.marks, downloads)
	}
}

func TestWrongLinesAreCountedAndLeftOut(t *testing.T) {
	r := newRoot(t, nil)
	f := start(t, r, file(t, "c.jsonl", corpus(300, map[int]string{2: "garbage", 3: strings.Repeat("x", 3<<20), 300: `{"id":"a b"}`})), nil)
	awaitReady(t, f)
	if p := progress(t, f); p.Wrong != 3 || p.Documents != 297 || p.Lines != 300 {
		t.Errorf("%+v", p)
	}
}

func TestACorpusOfWrongLinesEndsTheFeed(t *testing.T) {
	wrong := map[int]string{}
	for i := 1; i <= 4; i++ {
		wrong[i*70] = "garbage"
	}
	for name, content := range map[string][]byte{
		"a few of a few": corpus(300, wrong),
		"another file":   bytes.Repeat([]byte("<p>\n"), 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t, nil)
			f := start(t, r, file(t, "c.jsonl", content), nil)
			<-f.Ended
			if err := f.Wait(); !errors.Is(err, errTooManyWrong) {
				t.Errorf("it ended with %v", err)
			}
			if len(r.marks) != 0 {
				t.Error("there is a mark")
			}
		})
	}
}

func TestWhatCannotBeMendedEndsTheFeed(t *testing.T) {
	r := newRoot(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	for name, source := range map[string]string{
		"no file":      "file:" + filepath.Join(t.TempDir(), "none.jsonl"),
		"not packed":   file(t, "c.jsonl.gz", corpus(10, nil)),
		"cut off":      file(t, "c.jsonl.gz", packedUp(corpus(1000, nil))[:3000]),
		"not there":    gone.URL + "/c.jsonl",
		"root refuses": file(t, "c.jsonl", corpus(10, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			one := r
			if name == "root refuses" {
				one = newRoot(t, func(_ int, w http.ResponseWriter, req *http.Request) bool {
					if req.Method == http.MethodPost {
						problem.New(400, "document-invalid", "no").Write(w)
						return true
					}
					return false
				})
			}
			f := start(t, one, source, nil)
			<-f.Ended
			if f.Wait() == nil {
				t.Error("it ended without an error")
			}
		})
	}
}

func TestWrongConfigurationIsNamed(t *testing.T) {
	cfg := processtest.Parse[Config](t, Program, map[string]string{"SEARCHFEED_CORPUS": "ftp://x/y", "SEARCHFEED_SEARCH": "127.0.0.1:1", "SEARCHFEED_MARK": "a b", "SEARCHFEED_BATCH": "0"})
	err := Run(t.Context(), cfg)
	for _, variable := range []string{"SEARCHFEED_CORPUS", "SEARCHFEED_MARK", "SEARCHFEED_BATCH"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not named: %v", variable, err)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"id\":\"a\"}\n\n{\"_id\":\"b\",\"text\":\"c\"}\r\ngarbage"))
	f.Fuzz(func(t *testing.T, text []byte) {
		wrong := 0
		l := newLines(bytes.NewReader(text), func(int64, string) { wrong++ })
		documents := 0
		for {
			_, err := l.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			documents++
		}
		lines := bytes.Count(text, []byte("\n"))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		if int64(lines) != l.number || wrong+documents > lines {
			t.Errorf("%d lines, counted %d, of them %d wrong and %d documents", lines, l.number, wrong, documents)
		}
	})
}

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dir has a small collection of TREC, and a run.
func dir(t *testing.T) string {
	t.Helper()
	d := t.TempDir()
	for name, text := range map[string]string{
		"topics": "1:hot dog\n2:cat\n", "qrels": "1 0 a 1\n2 0 b 1\n3 0 c 0\n", "few": "1 0 a 1\n2 0 b 1\n", "none": "1 0 a 0\n",
		"docs.jsonl": "{\"_id\": \"a\", \"text\": \"dog\"}\n{\"_id\": \"b\", \"text\": \"cat\"}\n",
		// Query 1: a is second of two. Query 2 has no answer.
		"lucene.run": "1 Q0 x 1 2.0 lucene\n1 Q0 a 2 1.0 lucene\n",
	} {
		if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(d)
	return d
}

func command(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestARunFileIsMeasuredWithoutASearch(t *testing.T) {
	dir(t)
	code, out, errs := command(t, "-topics", "topics", "-qrels", "few", "-score", "lucene.run", "-worst", "1")
	// nDCG: 1/log2(3) = 0.6309 and 0; AP: 1/2 and 0.
	want := "nDCG@10     0.3155\nMAP         0.2500\nqueries     2\nunanswered  1\n2  0.0000  0.0000  cat\n"
	if code != 0 || out != want || errs != "" {
		t.Errorf("exit status %d\n%s%s\nwant\n%s", code, out, errs, want)
	}
}

func TestASearchIsFedAskedAndItsAnswersKept(t *testing.T) {
	dir(t)
	fed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query().Get("q"); {
		case r.Method == http.MethodPost:
			fed = true
			io.WriteString(w, `{"epochs": {"0": 2}}`)
		case q == "*":
			io.WriteString(w, `{"total": 3, "hits": []}`)
		case q == "hot dog":
			io.WriteString(w, `{"total": 1, "hits": [{"id": "a", "score": 1.5}]}`)
		default:
			io.WriteString(w, `{"total": 0, "hits": []}`)
		}
	}))
	defer server.Close()
	code, out, errs := command(t, "-topics", "topics", "-qrels", "few", "-documents", "docs.jsonl", "-search", server.URL, "-feed", "-run", "our.run")
	if code != 0 || !fed || !strings.Contains(out, "2 documents written, 3 searched\n") || !strings.Contains(out, "MAP         0.5000\n") {
		t.Errorf("exit status %d\n%s%s", code, out, errs)
	}
	if !strings.Contains(errs, "documents that are not of the collection") {
		t.Errorf("no warning of the third document: %s", errs)
	}
	if kept, err := os.ReadFile("our.run"); err != nil || string(kept) != "1 Q0 a 1 1.5 flotilla\n" {
		t.Errorf("%q, %v", kept, err)
	}
}

func TestBadFilesAreToldOf(t *testing.T) {
	dir(t)
	for want, args := range map[string][]string{
		"qrels judges query 3, which is not in topics": {"-topics", "topics", "-qrels", "qrels", "-score", "lucene.run"},
		"no query has a relevant document":             {"-topics", "topics", "-qrels", "none", "-score", "lucene.run"},
		"topics:1: 2 columns: want 6":                  {"-topics", "topics", "-qrels", "few", "-score", "topics"},
		"neither nowhere/queries.jsonl nor":            {"-beir", "nowhere", "-score", "lucene.run"},
	} {
		if code, _, errs := command(t, args...); code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%v: exit status %d, %s, want … %s …", args, code, errs, want)
		}
	}
}

func TestWrongArgumentsAreToldOf(t *testing.T) {
	for want, args := range map[string][]string{
		"want a collection: -beir, or -topics with -qrels": {"-score", "x"},
		"want -topics and -qrels together":                 {"-topics", "x", "-score", "x"},
		"-documents goes with -topics":                     {"-beir", "x", "-documents", "x", "-score", "x"},
		"either -search or -score":                         {"-beir", "x"},
		"-feed and -run go with -search":                   {"-beir", "x", "-score", "x", "-run", "y"},
		"-feed wants -documents":                           {"-topics", "x", "-qrels", "x", "-search", "http://x", "-feed"},
		"want 1 to 10000":                                  {"-beir", "x", "-score", "x", "-depth", "0"},
		"want 0 or more":                                   {"-beir", "x", "-score", "x", "-worst", "-1"},
		"want one word":                                    {"-beir", "x", "-score", "x", "-tag", "a b"},
		`"y" is no argument`:                               {"-beir", "x", "-score", "x", "y"},
		"-h tells them":                                    {"-nothing"},
	} {
		if code, _, errs := command(t, args...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%v: exit status %d, %s, want … %s …", args, code, errs, want)
		}
	}
	if code, _, errs := command(t, "-h"); code != 0 || !strings.Contains(errs, "-beir folder") {
		t.Errorf("-h: exit status %d, %s", code, errs)
	}
}

package relevance_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

const topicsOfTREC = `
<top>
<num> Number: 051
<title> Topic: Airbus   Subsidies

<desc> Description:
Document will discuss government assistance to Airbus, if a < b.

<narr> Narrative:
A relevant document will cite …
</top>
<top><num>CF-2</num><title>measurement
of dielectrics</title><dom>Physics</dom></top>
`

func TestTopicsAreReadInBothForms(t *testing.T) {
	tagged := file(t, "topics.txt", topicsOfTREC)
	for name, c := range map[string]struct {
		file   string
		fields []string
		want   []relevance.Query
	}{
		"titles": {tagged, nil, []relevance.Query{{"51", "Airbus Subsidies"}, {"CF-2", "measurement of dielectrics"}}},
		"title and description": {tagged, []string{"title", "desc"}, []relevance.Query{
			{"51", "Airbus Subsidies Document will discuss government assistance to Airbus, if a < b."}, {"CF-2", "measurement of dielectrics"},
		}},
		"lines": {file(t, "topics.txt", "1:who: what\r\n\n 12 : why \n"), nil, []relevance.Query{{"1", "who: what"}, {"12", "why"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := relevance.ReadTopics(c.file, c.fields...); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestJudgementsAreReadInBothForms(t *testing.T) {
	want := relevance.Judgements{"1": {"d1": 2, "d2": 0}, "2": {"d1": -1}}
	if got, err := relevance.ReadJudgements(file(t, "qrels", "1 0 d1 2\n1  0 d2 0\n\n2\t0\td1\t-1\n")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("TREC: %v, %v", got, err)
	}
	if got, err := relevance.ReadTSV(file(t, "test.tsv", "query-id\tcorpus-id\tscore\n1\td1\t2\n1\td2\t0\n2\td1\t-1\n")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("BEIR: %v, %v", got, err)
	}
}

func TestDocumentsAreReadInBothForms(t *testing.T) {
	want := []relevance.Document{{"d1", "A title", "Some text."}, {"d2", "", "More."}}
	for name, path := range map[string]string{
		"BEIR": file(t, "corpus.jsonl", `{"_id": "d1", "title": "A title", "text": "Some text.", "metadata": {"x": 1}}`+"\n"+`{"id": "d2", "text": "More."}`+"\n"),
		"TREC": file(t, "docs.trec", "<DOC>\n<DOCNO> d1 </DOCNO>\n<HEADLINE>A title</HEADLINE>\n<TEXT>\nSome\ntext.\n</TEXT>\n</DOC>\n<DOC><DOCNO>d2</DOCNO><TEXT>More.</TEXT></DOC>"),
	} {
		t.Run(name, func(t *testing.T) {
			var got []relevance.Document
			err := relevance.EachDocument(path, func(d relevance.Document) error { got = append(got, d); return nil })
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestErrorsNameFileLineAndWhatWouldBeRight(t *testing.T) {
	judgements := func(p string) error { _, err := relevance.ReadJudgements(p); return err }
	tsv := func(p string) error { _, err := relevance.ReadTSV(p); return err }
	topics := func(p string) error { _, err := relevance.ReadTopics(p); return err }
	queries := func(p string) error { _, err := relevance.ReadQueries(p); return err }
	run := func(p string) error { _, err := relevance.ReadRun(p); return err }
	documents := func(p string) error {
		return relevance.EachDocument(p, func(relevance.Document) error { return nil })
	}
	for _, c := range []struct {
		read       func(string) error
		name, text string
		want       string
	}{
		{judgements, "qrels", "1 0 a 1\n1 0 a\n", "qrels:2: 3 columns: want 4: query, 0, document, grade"},
		{judgements, "qrels", "1 0 a much\n", `qrels:1: grade is "much": want a whole number`},
		{judgements, "qrels", "1 0 a 1\n1 0 a 0\n", "qrels:2: document a is judged twice for query 1"},
		{judgements, "qrels", "1 0 caf\xc3\xa9 1\n", "want printable ASCII without spaces"},
		{judgements, "qrels", "\n", "qrels: no judgements"},
		{tsv, "test.tsv", "1\ta\t1\n", "test.tsv:1: heading is"},
		{tsv, "test.tsv", "query-id\tcorpus-id\tscore\n1 a 1\n", "test.tsv:2: 1 columns: want 3, separated by tabs"},
		{tsv, "test.tsv", "query-id\tcorpus-id\tscore\n\ta\t1\n", "test.tsv:2: query has no id"},
		{topics, "topics", "what is a fish\n", "topics:1: \"what is a fish\": want number:text, or topics between <top> and </top>"},
		{topics, "topics", "1:a\n1:b\n", "topics:2: query 1 is there twice"},
		{topics, "topics", "<top>\n<title>x\n</top>\n", "topics:3: topic without a number"},
		{topics, "topics", "<top>\n<num>1\n</top>\n", "topics:3: topic 1 has no <title>"},
		{topics, "topics", "<top>\n<num>1\n<top>\n", "topics:3: <top> within <top>"},
		{topics, "topics", "<num>1\n</top>\n", `topics:1: "1" stands outside of <top>`},
		{topics, "topics", "</top>\n", "topics:1: </top> without <top> before it"},
		{topics, "topics", "<top>\n<num>1\n<title>x", "topics: ends within <top>: want </top>"},
		{topics, "topics", "<top>\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 5000), "topics:4192: <top> has more than 4194304 bytes"},
		{queries, "queries.jsonl", "{\"_id\": \"1\", \"text\": \"a\"}\n{", `queries.jsonl:2: want {"_id": "…", "text": "…"}`},
		{queries, "queries.jsonl", "{\"text\": \"a\"}", "queries.jsonl:1: query has no id"},
		{queries, "queries.jsonl", `{"_id": "1", "text": "` + strings.Repeat("x", 70_000) + `"}`, "queries.jsonl:1: text of query 1 has 70000 bytes: want at most 65536"},
		{queries, "queries.jsonl", strings.Repeat("x", 1<<20+1), "queries.jsonl:1: line is too long: want at most 1048576 bytes"},
		{queries, "queries.jsonl.gz", "{}", "queries.jsonl.gz: its name ends in .gz, but it is not compressed so"},
		{run, "run", "1 Q0 a 1 0.5 x\n1 Q0 a 2\n", "run:2: 4 columns: want 6"},
		{run, "run", "1 Q0 a 1 NaN x\n", `run:1: score is "NaN": want a number`},
		{run, "run", "1 Q0 a 1 2 x\n1 Q0 a 2 1 x\n", "run:2: document a is there twice for query 1"},
		{run, "run", "", "run: no answers"},
		{documents, "c.jsonl", `{"_id": "a b"}`, `c.jsonl:1: id of document is "a b": want printable ASCII without spaces`},
		{documents, "c.jsonl", `{"_id": "a", "title": "` + strings.Repeat("x", 5000) + `"}`, "title of document a has 5000 bytes: want at most 4096"},
		{documents, "c.jsonl", `{"_id": "a", "text": "` + strings.Repeat("x", 70_000) + `"}`, "text of document a has 70000 bytes: want at most 65536"},
		{documents, "c.jsonl", "", "c.jsonl: no documents"},
		{documents, "c.trec", "<DOC>\n<TEXT>x</TEXT>\n</DOC>", "c.trec:3: document has no id"},
		{documents, "c.trec", "<DOC>\n<DOCNO>a</DOCNO><TEXT>\xff</TEXT>\n</DOC>", "c.trec:3: document a is not UTF-8"},
	} {
		if err := c.read(file(t, c.name, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want … %s …", c.name, c.text[:min(len(c.text), 60)], err, c.want)
		}
	}
}

func TestAnUnknownFieldOfATopicIsNamed(t *testing.T) {
	if _, err := relevance.ReadTopics(file(t, "topics", topicsOfTREC), "titel"); err == nil || !strings.Contains(err.Error(), "want some of title, desc, narr") {
		t.Error(err)
	}
}

func TestARunThatWasWrittenIsRead(t *testing.T) {
	run := relevance.Run{"10": {{"b", 0.30000000000000004}, {"a", 1e-7}}, "9": {{"c", 3}}}
	path := filepath.Join(t.TempDir(), "our.run")
	if err := relevance.WriteRun(path, "ours", run); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "9 Q0 c 1 3 ours\n10 Q0 b 1 0.30000000000000004 ours\n10 Q0 a 2 1e-07 ours\n"; string(text) != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	if again, err := relevance.ReadRun(path); err != nil || !reflect.DeepEqual(again, run) {
		t.Errorf("%v, %v", again, err)
	}
}

func beir(t *testing.T, queries, judgements string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "qrels"), 0o700); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(`{"_id": "a", "text": "fish"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"queries.jsonl": queries, "qrels/test.tsv": judgements, "corpus.jsonl.gz": packed.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestACollectionKeepsWhatWasJudged(t *testing.T) {
	dir := beir(t, "{\"_id\": \"1\", \"text\": \"fish\"}\n{\"_id\": \"2\", \"text\": \"of another split\"}\n", "query-id\tcorpus-id\tscore\n1\ta\t1\n")
	c, err := relevance.OpenBEIR(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Queries) != 1 || c.Queries[0].ID != "1" || filepath.Base(c.Documents) != "corpus.jsonl.gz" {
		t.Errorf("%+v", c)
	}
	if _, err := relevance.OpenBEIR(dir, "dev"); err == nil || !strings.Contains(err.Error(), "dev.tsv") {
		t.Error(err)
	}
}

func TestFilesThatDoNotBelongTogetherAreRefused(t *testing.T) {
	_, err := relevance.OpenTREC(file(t, "topics", "1:fish\n"), file(t, "qrels", "1 0 a 1\n10 0 a 1\n9 0 a 1\n"), "")
	if err == nil || !strings.Contains(err.Error(), "judges query 9, which is not in") {
		t.Error(err)
	}
}

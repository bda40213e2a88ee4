package relevance_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

// FuzzFiles reads anything as anything: what is accepted keeps the promises of its form, what is not names the file.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		topicsOfTREC, "1:who: what\n12:why\n", "1 0 d1 2\n", "query-id\tcorpus-id\tscore\n1\td1\t2\n", `{"_id": "1", "title": "t", "text": "x"}`,
		"1 Q0 a 1 0.5 x\n", "<DOC>\n<DOCNO>a</DOCNO><TEXT>x</TEXT>\n</DOC>", "<top><num>1<title>x</top", "< top>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		failed := func(err error) bool {
			if err != nil && !strings.Contains(err.Error(), "file") {
				t.Errorf("%v does not name the file", err)
			}
			return err != nil
		}
		topics, err := relevance.ParseTopics("file", strings.NewReader(text), relevance.TopicFields)
		if !failed(err) {
			checkQueries(t, topics)
		}
		queries, err := relevance.ParseQueries("file", strings.NewReader(text))
		if !failed(err) {
			checkQueries(t, queries)
		}
		for _, parse := range []func() (relevance.Judgements, error){
			func() (relevance.Judgements, error) {
				return relevance.ParseJudgements("file", strings.NewReader(text))
			},
			func() (relevance.Judgements, error) { return relevance.ParseTSV("file", strings.NewReader(text)) },
		} {
			judgements, err := parse()
			if !failed(err) && len(judgements) == 0 {
				t.Error("no judgements, and no error")
			}
		}
		run, err := relevance.ParseRun("file", strings.NewReader(text))
		if !failed(err) {
			if s := relevance.Measure(relevance.Judgements{"1": {"a": 1}}, run, 10); s.NDCG < 0 || s.NDCG > 1 || s.MAP < 0 || s.MAP > 1 {
				t.Errorf("%+v", s)
			}
		}
		document := func(d relevance.Document) error {
			if d.ID == "" || !utf8.ValidString(d.Title) || !utf8.ValidString(d.Text) {
				t.Errorf("document %+v", d)
			}
			return nil
		}
		failed(relevance.ParseDocuments("file", strings.NewReader(text), document))
		failed(relevance.ParseTRECDocuments("file", strings.NewReader(text), document))
	})
}

func checkQueries(t *testing.T, queries []relevance.Query) {
	t.Helper()
	seen := map[string]bool{}
	for _, q := range queries {
		if q.ID == "" || seen[q.ID] {
			t.Errorf("query %q is there twice, or has no id", q.ID)
		}
		seen[q.ID] = true
	}
	if len(queries) == 0 {
		t.Error("no queries, and no error")
	}
}

// FuzzWords: what becomes of any text is within the bounds of the query language and has nothing of its syntax but quotes.
func FuzzWords(f *testing.F) {
	f.Add(`say "hot dog" -cat title:x (a*)~ AND don't`)
	f.Fuzz(func(t *testing.T, text string) {
		query, _ := relevance.Words(text)
		words := strings.Fields(query)
		if len(query) > 1<<10 || len(words) > 32 {
			t.Errorf("%d bytes, %d words", len(query), len(words))
		}
		for _, w := range words {
			quoted := len(w) > 2 && w[0] == '"' && w[len(w)-1] == '"'
			if strings.ContainsAny(strings.Trim(w, `"`), "\"-:()*~\\") || strings.ContainsAny(w, "'’") && !quoted {
				t.Errorf("%q becomes %q", text, query)
			}
		}
	})
}

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const committed = "../../relevance/testdata/wordnet"

func TestALineBecomesASynset(t *testing.T) {
	for line, want := range map[string]synset{
		`00002724 29 v 02 choke 0 be_sick 0 003 @ 00001740 v 0000 + 14058252 n 0101 ~ 00001741 v 0000 01 + 02 00 | breathe with difficulty; "She choked with emotion"; "He choked"  `: {
			id: "v00002724", words: []string{"choke", "be sick"}, definition: "breathe with difficulty", relatives: []string{"v00001740"},
			examples: []string{"She choked with emotion", "He choked"},
		},
		`00003131 00 s 01 elect(p) 0 003 & 00003130 a 0000 ^ 00003130 a 0000 ! 00003132 a 0101 | chosen: "the elect few"`: {
			id: "a00003131", words: []string{"elect"}, definition: "chosen", relatives: []string{"a00003130"}, examples: []string{"the elect few"},
		},
	} {
		if got, err := parse(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestALineThatIsNoneIsRefused(t *testing.T) {
	for _, line := range []string{
		"", "x | y", "1 29 v zz a 0 000 | g", "1 29 v 05 a 0 000 | g", "1 29 v 01 a 0 001 @ | g", "1 29 v 01 a 0 -1 @ | g", "00001740 29 v 01 a 0 000",
	} {
		if s, err := parse(line); err == nil {
			t.Errorf("%q: %+v", line, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`00003131 00 s 01 elect(p) 0 001 & 00003130 a 0000 | chosen: "the elect few"`)
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := parse(line); err == nil && (s.id == "" || strings.Contains(s.definition, `"`)) {
			t.Errorf("%q: %+v", line, s)
		}
	})
}

func TestTheCommittedCollectionIsWhole(t *testing.T) {
	c, err := relevance.OpenBEIR(committed, "test")
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]relevance.Document{}
	if err := relevance.EachDocument(c.Documents, func(d relevance.Document) error { documents[d.ID] = d; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(c.Queries) != 300 || len(documents) != 31923 {
		t.Errorf("%d queries, %d documents", len(c.Queries), len(documents))
	}
	for _, q := range c.Queries {
		own := strings.TrimPrefix(q.ID, "q")
		if c.Judgements[q.ID][own] != 2 {
			t.Errorf("%s is not relevant for its own sentence", own)
		}
		if strings.Contains(documents[own].Text, q.Text) {
			t.Errorf("document %s gives its query away: %s", own, q.Text)
		}
		for d := range c.Judgements[q.ID] {
			if _, there := documents[d]; !there {
				t.Errorf("%s is relevant for %s, but not there", d, q.ID)
			}
		}
	}
}

func TestTheCommittedCollectionIsMadeOfWordNet(t *testing.T) {
	const wordnet = "/usr/share/wordnet"
	if _, err := os.Stat(filepath.Join(wordnet, "data.verb")); err != nil {
		t.Skip("SKIPPED: needs WordNet's files (wordnet-base)")
	}
	dir := t.TempDir()
	if code := run([]string{"-wordnet", wordnet, "-to", dir}, io.Discard, t.Output()); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	for _, name := range []string{"corpus.jsonl.gz", "queries.jsonl", "qrels/test.tsv"} {
		made, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, kept) {
			t.Errorf("%s differs: make it again", name)
		}
	}
}

func TestWrongArgumentsAreToldOf(t *testing.T) {
	for want, args := range map[string][]string{
		"want -to folder":              {},
		"-queries of 1 or more":        {"-to", "x", "-queries", "0"},
		"and nothing else":             {"-to", "x", "y"},
		"flag provided but not define": {"-x"},
	} {
		var out bytes.Buffer
		if code := run(args, io.Discard, &out); code != exitUsage || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit status %d, %s", args, code, out.String())
		}
	}
	if code := run([]string{"-wordnet", t.TempDir(), "-to", "x"}, io.Discard, io.Discard); code != 1 {
		t.Errorf("without WordNet: exit status %d", code)
	}
}

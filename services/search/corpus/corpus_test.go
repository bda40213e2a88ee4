package corpus_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/search/corpus"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// published is where Debian's wordnet-base puts WordNet.
const published = "/usr/share/wordnet"

// source has a synset of each part of speech.
func source() fstest.MapFS {
	const licence = "  1 This software and database is being provided to you\n  2   \n"
	files := map[string]string{
		"data.noun": "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 000 | a member of the genus Canis; \"the dog barked\"  \n",
		"data.verb": "01926311 38 v 01 run 0 000 01 + 02 00 | move fast by using one's feet | and more  \n",
		"data.adj":  "00014490 00 s 02 galore(ip) 0 abounding(p) 0 000 | existing in abundance  \n",
		"data.adv":  "00001740 02 r 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 000 | ten words  \n",
	}
	all := fstest.MapFS{}
	for name, line := range files {
		all[name] = &fstest.MapFile{Data: []byte(licence + line)}
	}
	return all
}

func TestABrokenLineOfWordNetIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, old, new, want string }{
		"no gloss":              {"data.noun", " | ", " ", "data.noun:3: this is not a set of synonyms with its gloss"},
		"no lexicographer file": {"data.verb", "01926311 38", "01926311 45", `data.verb:3: there is no lexicographer file "45"`},
		"no number of a file":   {"data.verb", "01926311 38", "01926311 -1", `data.verb:3: there is no lexicographer file "-1"`},
		"too few words":         {"data.adj", "s 02", "s ff", `data.adj:3: there are not "ff" words`},
		"no words":              {"data.adj", "s 02", "s 00", `data.adj:3: there are not "00" words`},
		"no document":           {"data.adv", "ten words", "\xff", "data.adv:3: text: not UTF-8"},
	} {
		files := source()
		files[test.file] = &fstest.MapFile{Data: bytes.Replace(files[test.file].Data, []byte(test.old), []byte(test.new), 1)}
		if _, err := corpus.Write(io.Discard, files); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	files := source()
	delete(files, "data.adj")
	if _, err := corpus.Write(io.Discard, files); err == nil || !strings.Contains(err.Error(), "data.adj") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestASetOfSynonymsBecomesADocument(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	count, err := corpus.Write(&got, source())
	want := `{"id":"n02084071","title":"dog, domestic dog, Canis familiaris","text":"a member of the genus Canis; \"the dog barked\"","labels":{"file":"noun.animal","pos":"noun"}}
{"id":"v01926311","title":"run","text":"move fast by using one's feet | and more","labels":{"file":"verb.motion","pos":"verb"}}
{"id":"a00014490","title":"galore, abounding","text":"existing in abundance","labels":{"file":"adj.all","pos":"adjective"}}
{"id":"r00001740","title":"a, b, c, d, e, f, g, h, i, j","text":"ten words","labels":{"file":"adv.all","pos":"adverb"}}
`
	if err != nil || count != 4 || got.String() != want {
		t.Errorf("%d documents, %v:\n%s", count, err, got.String())
	}
}

// unpacked is the file in the tree.
func unpacked(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open(corpus.File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestTheFileInTheTreeIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	plain := unpacked(t)
	if digest := fmt.Sprintf("%x", sha256.Sum256(plain)); digest != corpus.SHA256 || !strings.Contains(corpus.File, "."+digest[:16]+".") {
		t.Errorf("the digest is %s", digest)
	}
	seen := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(plain)); lines.Scan(); {
		d, err := document.Decode(lines.Bytes())
		if err != nil || seen[d.ID] || d.Title == "" || d.Text == "" {
			t.Fatalf("%s: %v, seen before: %v", lines.Bytes(), err, seen[d.ID])
		}
		seen[d.ID] = true
	}
	if len(seen) != corpus.Documents || !seen["n02084071"] {
		t.Errorf("%d documents, want %d, and n02084071 among them", len(seen), corpus.Documents)
	}
}

func TestTheFileInTheTreeIsMadeOfWordNet(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(published + "/data.noun"); err != nil {
		if os.Getenv("REAL_SERVERS") == "required" {
			t.Fatal("WordNet is not installed (apt-get install wordnet-base), and REAL_SERVERS=required")
		}
		t.Skip("SKIPPED: WordNet is not installed (apt-get install wordnet-base): that the corpus can be made again was not checked")
	}
	want := unpacked(t)
	var made bytes.Buffer
	count, err := corpus.Write(&made, os.DirFS(published))
	if err != nil || count != corpus.Documents || !bytes.Equal(made.Bytes(), want) {
		t.Errorf("%d documents, %d bytes, in the tree %d, %v: run cmd/glosses and change corpus.go", count, made.Len(), len(want), err)
	}
}

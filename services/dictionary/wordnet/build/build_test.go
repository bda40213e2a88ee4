package build_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/dictionary/data"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/build"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// published is where Debian's wordnet-base puts WordNet.
const published = "/usr/share/wordnet"

func TestTheCommittedFileIsMadeOfWordNet(t *testing.T) {
	if _, err := os.Stat(published + "/data.noun"); err != nil {
		t.Skip("SKIPPED: WordNet is not installed (apt-get install wordnet-base): that the committed file can be made again was not checked")
	}
	for range 2 {
		made, err := build.Build(os.DirFS(published))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(made); hex.EncodeToString(sum[:]) != data.SHA256 {
			t.Fatalf("made %x, committed %s: run cmd/wordnet-build and change data.go", sum, data.SHA256)
		}
	}
}

func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(wordnettest.Small(t), wordnettest.Small(t)) {
		t.Error("two runs differ")
	}
}

func TestABrokenSourceIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, old, new, want string }{
		"no such synset":     {"index.noun", "00000300", "00000999", "index.noun:5"},
		"short line":         {"index.verb", "run v 1 0 1 0 00000100", "run v 1", "too short"},
		"no gloss":           {"data.noun", " | a living", " a living", "data.noun:2"},
		"unknown pointer":    {"data.adj", "! 00000200", "? 00000200", `pointer "?"`},
		"dangling pointer":   {"data.adv", `\ 00000100`, `\ 00000999`, "no adjective synset at 999"},
		"not in the index":   {"data.noun", "mouse 0", "rat 0", `"rat" is not in the index`},
		"no number":          {"data.verb", "00000100 38", "00000100 xx", "data.verb:2"},
		"exception too bare": {"noun.exc", "mice mouse", "mice", "noun.exc:2"},
		"no sense key":       {"cntlist.rev", "dog%1", "dog", "no sense key"},
	} {
		source := wordnettest.Source()
		source[test.file] = &fstest.MapFile{Data: []byte(strings.Replace(string(source[test.file].Data), test.old, test.new, 1))}
		if _, err := build.Build(source); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
	source := wordnettest.Source()
	delete(source, "data.adv")
	if _, err := build.Build(source); err == nil || !strings.Contains(err.Error(), "data.adv") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestGlossesAreSplitIntoDefinitionAndExamples(t *testing.T) {
	t.Parallel()
	for gloss, want := range map[string]string{
		`an animal; "the dog barked"; "my dog"  `: "an animal|the dog barked|my dog",
		`an animal  `: "an animal",
		`to be; "To be or not to be"- Shakespeare  `:    "to be|To be or not to be - Shakespeare",
		`fueled by wood; "a wood-burning stove'  `:      "fueled by wood|a wood-burning stove'",
		`"all that glitters"  `:                         `"all that glitters"`,
		`focus; "one"; (usage note); "two"  `:           "focus; (usage note)|one|two",
		`used with "of"; "a lot of time"; "plenty of" `: "used with|of|a lot of time|plenty of",
	} {
		source := wordnettest.Source()
		source["data.verb"] = &fstest.MapFile{Data: []byte("00000100 38 v 01 run 0 000 | " + gloss + "\n")}
		file, err := build.Build(source)
		if err != nil {
			t.Fatal(err)
		}
		d, err := wordnet.New(file)
		if err != nil {
			t.Fatal(err)
		}
		sense := d.Entry(d.Resolve("run")).Parts[0].Senses[0]
		if got := strings.Join(append([]string{sense.Definition}, sense.Examples...), "|"); got != want {
			t.Errorf("%q: %q, want %q", gloss, got, want)
		}
	}
}

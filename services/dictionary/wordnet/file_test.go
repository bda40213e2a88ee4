package wordnet_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

// ask uses everything that an opened file offers.
func ask(d *wordnet.Dictionary) {
	for i := range min(d.Len(), 50) {
		m := d.Random(i)
		d.Entry(m)
		d.Entry(d.Resolve(m.Key + "s"))
		d.Complete(m.Key[:1], 5)
		d.Near(m.Key+"x", 5)
	}
	for _, word := range []string{"dog", "mice", "ran", "unable", "nothing"} {
		d.Entry(d.Resolve(word))
	}
}

func TestACutFileIsAnErrorWhereverItIsCut(t *testing.T) {
	t.Parallel()
	whole := wordnettest.Small(t)
	for n := range whole {
		if _, err := wordnet.New(whole[:n]); !errors.Is(err, wordnet.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestAFlippedBitIsAnErrorOrHarmless(t *testing.T) {
	t.Parallel()
	whole := wordnettest.Small(t)
	refused := 0
	for i := range len(whole) * 8 {
		damaged := slices.Clone(whole)
		damaged[i/8] ^= 1 << (i % 8)
		d, err := wordnet.New(damaged)
		if err != nil {
			refused++
			continue
		}
		ask(d) // must not panic
	}
	if refused == 0 {
		t.Error("no flipped bit was noticed")
	}
}

func TestOpenRefusesWhatIsNoDictionary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"empty": nil, "text": []byte("not a dictionary"), "zeros": make([]byte, 4096)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := wordnet.Open(path); !errors.Is(err, wordnet.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := wordnet.Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestAMappedFileOutlivesItsName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "words.bin")
	if err := os.WriteFile(path, wordnettest.Small(t), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := wordnet.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if e := d.Entry(d.Resolve("Mice")); len(e.Parts) != 1 || e.Parts[0].Senses[0].Definition != "a small rodent" {
		t.Errorf("%+v", e)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(wordnettest.Small(f))
	f.Add([]byte(wordnet.Magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := wordnet.New(data)
		if err != nil {
			if !errors.Is(err, wordnet.ErrCorrupt) {
				t.Error(err)
			}
			return
		}
		ask(d)
	})
}

func FuzzResolve(f *testing.F) {
	d, err := wordnet.New(wordnettest.Small(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, word := range []string{"dog", "Mice", "a_b-c", "é\u0301", "Ǣ", "\u0130", "\xff", "__", "run out of"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		key := wordnet.Fold(word)
		if again := wordnet.Fold(key); again != key {
			t.Errorf("Fold(%q) = %q, and of that %q: a redirect would follow a redirect", word, key, again)
		}
		m := d.Resolve(word)
		if m.Found() && !d.Resolve(m.Key).Found() {
			t.Errorf("%q leads to %q, which is not found", word, m.Key)
		}
		if m.Found() && d.Resolve(m.Key).Key != m.Key {
			t.Errorf("%q leads to %q and on to %q", word, m.Key, d.Resolve(m.Key).Key)
		}
		d.Entry(m)
		d.Near(word, 5)
		d.Complete(word, 5)
	})
}

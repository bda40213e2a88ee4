package wordnet_test

import (
	"math/rand/v2"
	"testing"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

// distance is the optimal string alignment distance, written for the eye.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// TestNearMissesNothing compares the walk with a look at every lemma: one edit
// away anywhere, two edits away with the same first letter.
func TestNearMissesNothing(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		word := []byte(d.Random(random.IntN(d.Len())).Key)
		for range 2 {
			i := random.IntN(len(word))
			switch random.IntN(4) {
			case 0:
				word[i] = byte('a' + random.IntN(26))
			case 1:
				word = append(word[:i], word[min(i+1, len(word)):]...)
			case 2:
				word = append(word[:i], append([]byte{'e'}, word[i:]...)...)
			case 3:
				j := min(i+1, len(word)-1)
				word[i], word[j] = word[j], word[i]
			}
			if len(word) < 4 {
				word = append(word, "zzzz"...)
			}
		}
		typo := wordnet.Fold(string(word))
		if len(typo) < 4 || len(typo) > 40 {
			continue
		}
		compareNear(t, d, typo)
	}
}

func compareNear(t *testing.T, d *wordnet.Dictionary, typo string) {
	t.Helper()
	want := map[int]int{} // distance → lemmas
	for i := range d.Len() {
		key := d.Random(i).Key
		if gap := len(key) - len(typo); gap < -2 || gap > 2 {
			continue
		}
		if n := distance(typo, key); n == 1 || n == 2 && key[0] == typo[0] {
			want[n]++
		}
	}
	got := map[int]int{}
	list := d.Near(typo, wordnet.MaxSuggestions)
	for _, s := range list {
		got[s.Distance]++
	}
	left := wordnet.MaxSuggestions
	for n := 1; n <= 2; n++ {
		expected := min(want[n], left)
		left -= expected
		if got[n] != expected {
			t.Errorf("%q: %d suggestions at distance %d, want %d", typo, got[n], n, expected)
		}
	}
}

package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func encoded(t testing.TB, p Postings) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPostingsArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := Postings{Documents: rapid.Int64Range(0, math.MaxInt64).Draw(t, "documents")}
		next := int64(0)
		for range rapid.IntRange(0, 50).Draw(t, "postings") {
			next += rapid.Int64Range(0, 1<<40).Draw(t, "gap")
			sent.Offsets = append(sent.Offsets, next)
			sent.Scores = append(sent.Scores, rapid.Float64Range(0, math.MaxFloat64).Draw(t, "score"))
			next++
		}
		sent.Epoch = next + rapid.Int64Range(0, 5).Draw(t, "later")
		b, err := sent.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		var got Postings
		if err := got.UnmarshalBinary(b[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, sent) {
			t.Fatalf("got %+v, sent %+v", got, sent)
		}
	})
}

func TestPostingsThatAreWrongAreRefused(t *testing.T) {
	for name, p := range map[string]Postings{
		"negative epoch":     {Epoch: -1},
		"negative documents": {Documents: -1},
		"a score is missing": {Epoch: 5, Offsets: []int64{1}},
		"twice":              {Epoch: 5, Offsets: []int64{1, 1}, Scores: []float64{1, 1}},
		"backwards":          {Epoch: 5, Offsets: []int64{2, 1}, Scores: []float64{1, 1}},
		"past the epoch":     {Epoch: 5, Offsets: []int64{5}, Scores: []float64{1}},
		"no number":          {Epoch: 5, Offsets: []int64{1}, Scores: []float64{math.NaN()}},
		"endless":            {Epoch: 5, Offsets: []int64{1}, Scores: []float64{math.Inf(1)}},
		"below 0":            {Epoch: 5, Offsets: []int64{1}, Scores: []float64{-1}},
		"too many":           {Epoch: 5, Offsets: make([]int64, MostPostings+1), Scores: make([]float64, MostPostings+1)},
	} {
		if _, err := p.AppendBinary(nil); err == nil {
			t.Errorf("%s: was encoded", name)
		}
	}
	good := encoded(t, Postings{Epoch: 500, Documents: 9, Offsets: []int64{1, 300}, Scores: []float64{1, 2}})
	for end := range len(good) {
		if new(Postings).UnmarshalBinary(good[:end]) == nil {
			t.Errorf("the first %d of %d bytes were taken", end, len(good))
		}
	}
	for name, b := range map[string][]byte{
		"more":         append(bytes.Clone(good), 0),
		"another form": []byte("FP2\x00\x00\x00"),
		"a long zero":  []byte("FP1\x80\x00\x00\x00"),
		"overflow":     append([]byte("FP1"), bytes.Repeat([]byte{0xff}, 11)...),
	} {
		if new(Postings).UnmarshalBinary(b) == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

// TestALengthIsNotBelieved sends a few bytes that speak of four million postings.
func TestALengthIsNotBelieved(t *testing.T) {
	b := binary.AppendUvarint([]byte("FP1\x05\x05"), MostPostings)
	b = append(b, strings.Repeat("\x01", 100)...)
	if allocated := testing.AllocsPerRun(10, func() {
		if new(Postings).UnmarshalBinary(b) == nil {
			t.Error("was taken")
		}
	}); allocated > 20 {
		t.Errorf("%v allocations", allocated)
	}
}

func FuzzPostings(f *testing.F) {
	f.Add(encoded(f, Postings{}))
	f.Add(encoded(f, Postings{Epoch: 500, Documents: 9, Offsets: []int64{1, 300}, Scores: []float64{1, 2.5}}))
	f.Add([]byte("FP1\x80\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Postings
		if p.UnmarshalBinary(b) != nil {
			return
		}
		if again := encoded(t, p); !bytes.Equal(again, b) {
			t.Errorf("%x was read as %+v, which is %x", b, p, again)
		}
	})
}

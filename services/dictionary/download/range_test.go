package download

import "testing"

func TestContentRange(t *testing.T) {
	t.Parallel()
	type result struct {
		first, last, total int64
		ok                 bool
	}
	for value, want := range map[string]result{
		"bytes 5-9/10": {5, 9, 10, true}, "bytes 5-9/*": {5, 9, -1, true}, "bytes */10": {0, 0, 10, false},
		"bytes 9-5/10": {}, "bytes 5-10/10": {}, "items 5-9/10": {}, "bytes 5-9": {}, "bytes -9/10": {}, "": {}, "bytes 5-9/-1": {},
	} {
		first, last, total, ok := contentRange(value)
		if got := (result{first, last, total, ok}); got != want {
			t.Errorf("%q: %+v, want %+v", value, got, want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-1/2")
	f.Fuzz(func(t *testing.T, value string) {
		if first, last, total, ok := contentRange(value); ok && (first < 0 || last < first || total >= 0 && last >= total) {
			t.Errorf("%q: %d-%d/%d", value, first, last, total)
		}
	})
}

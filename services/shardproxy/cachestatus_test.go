package shardproxy

import "testing"

func TestTheNearestCacheTellsHitOrMiss(t *testing.T) {
	for status, want := range map[string]bool{
		"":                                     false,
		"flotilla; hit":                        true,
		"flotilla;hit;ttl=3":                   true,
		"flotilla; fwd=uri-miss; stored":       false,
		"origin; hit, flotilla; fwd=stale":     false,
		"origin; fwd=miss, flotilla; hit":      true,
		"hit":                                  false,
		"hit; fwd=miss":                        false,
		`flotilla; fwd=miss; detail="a; hit"`:  false,
		`flotilla; detail="a\"; hit, b"; hit`:  true,
		`a; hit; detail="x, y"`:                true,
		`flotilla; hitter`:                     false,
		`flotilla; detail="open; hit`:          false,
		`flotilla; fwd=stale; detail=hit; hit`: true,
	} {
		if got := hit([]byte(status)); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

func FuzzHit(f *testing.F) {
	for _, s := range []string{"", "a; hit", `a; x="\`, "a, b; hit;", `";hit`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, status []byte) {
		hit(status)
		// What a cache nearer to us says is what counts, whatever came before, once its quotes are closed.
		quotes := 0
		for _, c := range status {
			if c == '"' || c == '\\' {
				quotes++
			}
		}
		if quotes == 0 && (!hit(append(append([]byte{}, status...), ", mine; hit"...)) || hit(append(append([]byte{}, status...), ", mine; fwd=miss"...))) {
			t.Errorf("%q hides what follows", status)
		}
	})
}

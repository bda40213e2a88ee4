package nutcracker

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// keysOfEveryShape returns 10,000 different keys: words, numbers in a row,
// punctuation, UTF-8, any bytes, 1 to 250 bytes, with whole, empty, unclosed and
// nested hash tags. They are the same in every run.
var keysOfEveryShape = sync.OnceValue(func() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{
		"abcdefghijklmnopqrstuvwxyz0123456789", ":/.-_!\"#$%&'()*+,;<=>?@[\\]^`{|}~", "äöüßéèñøłπжשعあ漢字🙂🚢", "",
	}
	random := func(alphabet string, n int) []byte {
		key, runes := make([]byte, 0, n), []rune(alphabet)
		for len(key) < n {
			if alphabet == "" {
				key = append(key, byte(r.UintN(256)))
				continue
			}
			key = append(key, string(runes[r.IntN(len(runes))])...)
		}
		return key[:n]
	}
	seen := map[string]bool{}
	keys := make([][]byte, 0, 10_000)
	add := func(key []byte) {
		if len(key) > 0 && len(key) <= 250 && !seen[string(key)] {
			seen[string(key)] = true
			keys = append(keys, key)
		}
	}
	for i := range 2000 {
		add(fmt.Appendf(nil, "user:%d", i))
	}
	for i := range 500 {
		for _, shape := range []string{"user:{%d}:name", "{%d", "%d}", "{}%d", "a{b{%d}c}d", "}{%d}", "{%d}{x}", "x{%d}"} {
			add(fmt.Appendf(nil, shape, i))
		}
	}
	for len(keys) < cap(keys) {
		add(random(alphabets[r.IntN(len(alphabets))], 1+r.IntN(250)))
	}
	return keys
})

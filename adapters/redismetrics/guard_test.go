package redismetrics

import (
	"fmt"
	"strings"
	"testing"
)

func TestAnswersArePassedOnWithinTheirBounds(t *testing.T) {
	for answer, good := range map[string]bool{
		"+OK\r\n:42\r\n$3\r\nfoo\r\n*2\r\n$-1\r\n$0\r\n\r\n-ERR no\r\n*-1\r\n": true,
		"$6\r\n$99999\r\n":                       true, // a string is looked into by nobody
		"+" + strings.Repeat("x", 1000) + "\r\n": true,
		fmt.Sprintf("$%d\r\n", mostBulk+1):       false,
		"$99999999999999999999\r\n":              false,
		"$-2\r\n":                                false,
		"$\r\n":                                  false,
		fmt.Sprintf("*%d\r\n", mostElements+1):   false,
		"HTTP/1.1 400 Bad Request\r\n":           false,
		"\r\n":                                   false,
		"$3\r\nfoo\r\nbar\r\n":                   false,
	} {
		for _, size := range []int{len(answer), 1} { // whole, and byte by byte
			var f framing
			ok := true
			for i := 0; i < len(answer) && ok; i += size {
				ok = f.check([]byte(answer[i:min(i+size, len(answer))]))
			}
			if ok != good {
				t.Errorf("%.30q in pieces of %d: %v", answer, size, ok)
			}
		}
	}
	f := framing{total: mostBytes}
	if f.check([]byte("+")) {
		t.Error("more than any Redis says is passed on")
	}
}

// FuzzFraming holds the verdict true however the bytes are cut into reads.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nfoo\r\n:1\r\n"), 3)
	f.Add([]byte("$16777217\r\n"), 7)
	f.Fuzz(func(t *testing.T, answer []byte, cut int) {
		if cut < 0 || cut > len(answer) {
			return
		}
		var whole, parts framing
		if once, twice := whole.check(answer), parts.check(answer[:cut]) && parts.check(answer[cut:]); once != twice {
			t.Fatalf("whole: %v, cut at %d: %v", once, cut, twice)
		}
	})
}

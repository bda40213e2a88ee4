package redis

import (
	"testing"
)

func TestOnlyWellFormedCommandsPass(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n": "",
		"*1\r\n$4\r\nPI":  "",
		"*0\r\n":          "invalid multibulk length",
		"*-1\r\n":         "invalid multibulk length",
		"*\r\n":           "invalid multibulk length",
		"*9999999\r\n":    "invalid multibulk length",
		"*1000000000\r\n": "invalid multibulk length",
		"*1\r\n$-1\r\n":   "invalid bulk length",
		"*1\r\n$1025\r\n": "command too large",
		"*2\r\n$600\r\n" + string(make([]byte, 600)) + "\r\n$600\r\n": "command too large",
		"*1\r\n+PING\r\n": "expected '$'",
		"PING\r\n":        "expected '*'",
		"*1\rx":           "expected a line end",
	} {
		for _, size := range []int{len(input), 1} { // whole, and byte by byte
			var f framing
			got := ""
			for i := 0; i < len(input) && got == ""; i += size {
				_, got = f.check([]byte(input[i:i+size]), 1024)
			}
			if got != want {
				t.Errorf("%.30q in pieces of %d: %q, want %q", input, size, got, want)
			}
		}
	}
}

// FuzzFraming holds the verdict true however the bytes are cut into reads.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("*1\r\n$4\r\nPING\r\n"), 3)
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1025\r\n"), 7)
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		if cut < 0 || cut > len(input) {
			return
		}
		var whole, parts framing
		good, flaw := whole.check(input, 1024)
		first, early := parts.check(input[:cut], 1024)
		if early == "" {
			rest, late := parts.check(input[cut:], 1024)
			first, early = cut+rest, late
		}
		if first != good || early != flaw {
			t.Fatalf("whole: %d, %q; cut at %d: %d, %q", good, flaw, cut, first, early)
		}
	})
}

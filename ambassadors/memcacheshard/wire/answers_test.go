package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// framed writes down the answers in the input.
func framed(input []byte, piece int) string {
	var out strings.Builder
	a := NewAnswers(60)
	in := &tape{input, piece}
	for {
		if _, err := a.Fill(in); err != nil {
			return out.String()
		}
		for {
			answer, ok, err := a.Next()
			if err != nil {
				return out.String() + "!"
			}
			if !ok {
				break
			}
			if answer == nil {
				out.WriteString("too large|")
				continue
			}
			fmt.Fprintf(&out, "%q|", answer)
		}
	}
}

func TestAnswersAreFramed(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100)
	for input, want := range map[string]string{
		"STORED\r\nEND\r\n12\r\n":                             `"STORED\r\n"|"END\r\n"|"12\r\n"|`,
		"VALUE a 0 3\r\nabc\r\nEND\r\n":                       `"VALUE a 0 3\r\nabc\r\nEND\r\n"|`,
		"VALUE a 0 3 77\r\nEND\r\nVALUE b 0 0\r\n\r\nEND\r\n": `"VALUE a 0 3 77\r\nEND\r\nVALUE b 0 0\r\n\r\nEND\r\n"|`,
		"VALUE a 0 2\r\nabc\r\nEND\r\n":                       `!`,
		"VALUE a 0 5\r\nEND\r\n\r\nEND\r\nEND\r\n":            `"VALUE a 0 5\r\nEND\r\n\r\nEND\r\n"|"END\r\n"|`,
		"VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\n":  `"VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\n"|`,
		"VA 2 f0\r\nhi\r\nHD k1\r\nEN\r\n":                    `"VA 2 f0\r\nhi\r\n"|"HD k1\r\n"|"EN\r\n"|`,
		"VALUE a 0 100\r\n" + large + "\r\nEND\r\nEND\r\n":    `too large|"END\r\n"|`,
		"VALUE a 0 9\r\n123456789\r\nVALUE b 0 40\r\n" + large[:40] + "\r\nVALUE c 0 1\r\nx\r\nEND\r\nEND\r\n": `too large|"END\r\n"|`,
		"VA 100\r\n" + large + "\r\nVA 1\r\nx\r\n":                                                             `too large|"VA 1\r\nx\r\n"|`,
		large + "\r\nEND\r\n":               `too large|"END\r\n"|`,
		"VALUE a 0\r\n":                     `!`,
		"VALUE a 0 -1\r\n":                  `!`,
		"VALUE a 0 1x\r\n":                  `!`,
		"VALUE a 0 9999999999\r\n":          `!`,
		"VA\r\n":                            `!`,
		"VALUE a 0 1\r\nx\r\nVA 1\r\nx\r\n": `!`,
		strings.Repeat("x", 5000):           `!`,
		"END\r":                             ``,
	} {
		for _, piece := range []int{1, 7, len(input)} {
			if got := framed([]byte(input), piece); got != want {
				t.Errorf("%.40q in pieces of %d:\n got %s\nwant %s", input, piece, got, want)
			}
		}
	}
}

// FuzzAnswers holds that the framing does not depend on how the bytes are cut,
// and that no byte is lost or invented.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("VALUE a 0 3\r\nabc\r\nEND\r\nSTORED\r\nVA 2\r\nhi\r\n"))
	f.Add([]byte("VALUE a 0 100\r\n" + strings.Repeat("x", 100) + "\r\nEND\r\nVA x\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		whole := framed(bytes.Clone(input), len(input)+1)
		if pieces := framed(bytes.Clone(input), 3); pieces != whole {
			t.Fatalf("whole: %s\nin pieces: %s", whole, pieces)
		}
		a := NewAnswers(1 << 20)
		if _, err := a.Fill(&tape{bytes.Clone(input), len(input) + 1}); err != nil {
			return
		}
		rest := input
		for {
			answer, ok, err := a.Next()
			if err != nil || !ok {
				return
			}
			if !bytes.HasPrefix(rest, answer) {
				t.Fatalf("%q is no beginning of %q", answer, rest)
			}
			rest = rest[len(answer):]
		}
	})
}

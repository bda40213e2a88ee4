package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// tape is input to be read in pieces of a size.
type tape struct {
	rest  []byte
	piece int
}

func (t *tape) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.rest[:min(len(t.rest), t.piece)])
	t.rest = t.rest[n:]
	return n, nil
}

// understood writes down what becomes of the input.
func understood(input []byte, piece int) string {
	var out strings.Builder
	c := NewCommands(Limits{Data: 100, Line: 5000})
	in := &tape{input, piece}
	for {
		if _, err := c.Fill(in); err != nil {
			return out.String()
		}
		for {
			cmd, ok, err := c.Next()
			if err != nil {
				fmt.Fprintf(&out, "flaw %v", err)
				return out.String()
			}
			if !ok {
				break
			}
			fmt.Fprintf(&out, "%s key %q line %q data %q args %q", cmd.Verb, cmd.Key, cmd.Line, cmd.Data, cmd.Args)
			if cmd.Verb == Retrieve {
				fmt.Fprintf(&out, " head %q keys %q", cmd.Head, cmd.Keys)
			}
			if cmd.Quiet {
				out.WriteString(" quiet")
			}
			if cmd.Verb == Refused {
				fmt.Fprintf(&out, " %s", cmd.Refusal)
			}
			out.WriteString("\n")
		}
	}
}

func TestCommandsAreForwardedWithoutTheirWishForSilence(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"get a\r\n":                             `retrieve key "a" line "get a\r\n" data "" args [] head "get " keys ["a"]`,
		"gets  a   b \n":                        `retrieve key "a" line "gets  a   b \n" data "" args [] head "gets  " keys ["a" "b"]`,
		"gat 60 a\r\n":                          `retrieve key "a" line "gat 60 a\r\n" data "" args [] head "gat 60 " keys ["a"]`,
		"set a 1 2 3\r\nabc\r\n":                `store key "a" line "set a 1 2 3\r\n" data "abc\r\n" args ["1" "2" "3"]`,
		"set a 1 2 3  noreply\r\nabc\r\n":       `store key "a" line "set a 1 2 3\r\n" data "abc\r\n" args ["1" "2" "3"] quiet`,
		"set noreply 1 2 3 noreply \r\nabc\r\n": `store key "noreply" line "set noreply 1 2 3\r\n" data "abc\r\n" args ["1" "2" "3"] quiet`,
		"cas a 1 2 0 9\r\n\r\n":                 `store key "a" line "cas a 1 2 0 9\r\n" data "\r\n" args ["1" "2" "0" "9"]`,
		"delete a noreply\r\n":                  `change key "a" line "delete a\r\n" data "" args [] quiet`,
		"delete a 0 noreply\r\n":                `change key "a" line "delete a 0\r\n" data "" args [] quiet`,
		"incr a 5\r\n":                          `change key "a" line "incr a 5\r\n" data "" args []`,
		"touch a -1 noreply\n":                  `change key "a" line "touch a -1\r\n" data "" args [] quiet`,
		"mg a v q k\r\n":                        `meta_get key "a" line "mg a v   k\r\n" data "" args ["v" "k"] quiet`,
		"mg Zm9v b q\r\n":                       `meta_get key "foo" line "mg Zm9v b  \r\n" data "" args ["b"] quiet`,
		"ms a 2 q T0\r\nhi\r\n":                 `meta_store key "a" line "ms a 2   T0\r\n" data "hi\r\n" args ["T0"] quiet`,
		"md a Oq\r\n":                           `meta_delete key "a" line "md a Oq\r\n" data "" args ["Oq"]`,
		"ma a qqq\r\n":                          `meta_arithmetic key "a" line "ma a    \r\n" data "" args [] quiet`,
		"mn\r\n":                                `meta_noop key "" line "mn\r\n" data "" args []`,
		"flush_all 5 noreply\r\n":               `flush_all key "" line "flush_all 5 noreply\r\n" data "" args ["5"] quiet`,
		"set a 0 0 101\r\n" + strings.Repeat("x", 101) + "\r\n": `refused key "a" line "" data "" args [] SERVER_ERROR object too large for cache`,
		"ms a 101 q\r\n" + strings.Repeat("x", 101) + "\r\n":    `refused key "a" line "" data "" args [] SERVER_ERROR object too large for cache`,
		"set a 0 0 1 noreply\r\nabc\r\n":                        `refused key "" line "" data "" args [] quiet CLIENT_ERROR bad data chunk`,
		"set a 0 0 1\r\nab\n":                                   `refused key "" line "" data "" args [] CLIENT_ERROR bad data chunk`,
		"ms a 1 q\r\nabc\r\n":                                   `refused key "" line "" data "" args [] CLIENT_ERROR bad data chunk`,
		"set a 0 0 x\r\n":                                       `flaw ` + badLength,
		"":                                                      "",
		"\r\n":                                                  `refused key "" line "" data "" args [] ERROR`,
		"get " + strings.Repeat("k ", 3000):                     `flaw ` + lineTooLong,
		"set " + strings.Repeat("k", 3000):                      `flaw ` + lineTooLong,
	} {
		const probe = "version\r\n" // what follows is understood again
		followed := want != "" && !strings.HasPrefix(want, "flaw")
		text := input
		if followed {
			text += probe
			want += "\n" + `version key "" line "version\r\n" data "" args []`
		}
		for _, piece := range []int{1, 7, len(text) + 1} {
			if got := strings.TrimSuffix(understood([]byte(text), piece), "\n"); got != want {
				t.Errorf("%.40q in pieces of %d:\n got %s\nwant %s", input, piece, got, want)
			}
		}
	}
}

func TestALineThatIsTooLongIsTold(t *testing.T) {
	t.Parallel()
	c := NewCommands(Limits{Data: 100, Line: 1 << 20})
	in := &tape{[]byte("get " + strings.Repeat("kkkkkkkkk ", 100_000) + "\r\n"), 1 << 20}
	for {
		if _, err := c.Fill(in); err != nil {
			t.Fatal(err)
		}
		cmd, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if len(cmd.Keys) != 100_000 {
				t.Errorf("%d keys", len(cmd.Keys))
			}
			break
		}
	}
	if _, err := c.Fill(&tape{[]byte("v"), 1}); err != nil {
		t.Fatal(err)
	}
	if c.Buffered() > 16<<10 {
		t.Errorf("%d bytes are kept for the next command", c.Buffered())
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"set a 1 2 1\r\nx\r\n":      "set a 1 2 1\r\n",
		"add a 1 2 1\r\nx\r\n":      "set a 1 2 1\r\n",
		"replace a 1 2 1\r\nx\r\n":  "set a 1 2 1\r\n",
		"cas a 1 2 1 99\r\nx\r\n":   "set a 1 2 1\r\n",
		"append a 1 2 1\r\nx\r\n":   "append a 1 2 1\r\n",
		"prepend a 1 2 1\r\nx\r\n":  "prepend a 1 2 1\r\n",
		"delete a\r\n":              "delete a\r\n",
		"touch a 5\r\n":             "touch a 5\r\n",
		"incr a 5\r\n":              "incr a 5\r\n",
		"decr a 5\r\n":              "decr a 5\r\n",
		"ms a 1 T5\r\nx\r\n":        "ms a 1 T5\r\n",
		"ms a 1 MS T5\r\nx\r\n":     "ms a 1 T5\r\n",
		"ms a 1 ME T5 k\r\nx\r\n":   "ms a 1 T5 k\r\n",
		"ms a 1 MA C5\r\nx\r\n":     "ms a 1 MA\r\n",
		"ms YQ== 1 b C5 I\r\nx\r\n": "ms YQ== 1 b\r\n",
		"md a\r\n":                  "md a\r\n",
		"md a C7 I T9\r\n":          "md a I T9\r\n",
		"ma a N0 J5 C7 v\r\n":       "ma a N0 J5 v\r\n",
	} {
		c := NewCommands(Limits{Data: 100, Line: 5000})
		if _, err := c.Fill(&tape{[]byte(input), 100}); err != nil {
			t.Fatal(err)
		}
		cmd, ok, err := c.Next()
		if !ok || err != nil {
			t.Fatalf("%q: %v, %v", input, ok, err)
		}
		if got := string(cmd.AppendEffect(nil)); got != want {
			t.Errorf("%q: %q, want %q", input, got, want)
		}
	}
}

// FuzzCommands holds that no input breaks the reader, that what it understands
// does not depend on how the bytes are cut, and that whatever is sent on is one
// command that is understood in the same way again, without a wish for silence.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{
		"get a b\r\nset a 0 0 3 noreply\r\nabc\r\nmg YQ== b q k\r\nms a 2 q MA C5 T1\r\nhi\r\nmn\r\n",
		"cas a 1 2 3 4\r\nabc\r\ndelete a 0 noreply\r\nincr a 5\r\ngat 5 a\r\ngets a\r\n",
		"set a 0 0 2\r\nabcdef\r\nset a 0 0 500\r\n", "ma a N0 J1 D2 MD v\r\nmd a I\r\nme a\r\nflush_all 5 noreply\r\nquit\r\n", "set a 0 0 -1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		whole := understood(bytes.Clone(input), len(input)+1)
		if pieces := understood(bytes.Clone(input), 3); pieces != whole {
			t.Fatalf("whole: %s\nin pieces: %s", whole, pieces)
		}
		c := NewCommands(Limits{Data: 100, Line: 5000})
		in := &tape{bytes.Clone(input), len(input) + 1}
		for {
			if _, err := c.Fill(in); err != nil {
				return
			}
			for {
				cmd, ok, err := c.Next()
				var flaw *Flaw
				if err != nil && !errors.As(err, &flaw) {
					t.Fatal(err)
				}
				if err != nil {
					return
				}
				if !ok {
					break
				}
				checkForwarded(t, &cmd)
			}
		}
	})
}

func checkForwarded(t *testing.T, cmd *Command) {
	if cmd.Verb == Refused || cmd.Verb >= MetaNoop {
		return
	}
	raw := append(bytes.Clone(cmd.Line), cmd.Data...)
	again := NewCommands(Limits{Data: 100, Line: 5000})
	if _, err := again.Fill(&tape{raw, len(raw)}); err != nil {
		t.Fatal(err)
	}
	other, ok, err := again.Next()
	if !ok || err != nil || again.Partial() || other.Quiet || other.Verb != cmd.Verb || !bytes.Equal(other.Key, cmd.Key) || !bytes.Equal(other.Data, cmd.Data) {
		t.Fatalf("%q is sent on as %q, which means %v %q, %v, %v", cmd.Key, raw, other.Verb, other.Key, ok, err)
	}
	if line := cmd.Line; bytes.Count(line, []byte{'\n'}) != 1 || bytes.IndexByte(line, 0) >= 0 {
		t.Fatalf("%q is not one line", line)
	}
}

package resp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// commands reads all commands of in, as their words.
func commands(t testing.TB, in io.Reader, limit int) (all [][]string, raw []string, err error) {
	t.Helper()
	c := NewCommands(limit)
	for {
		_, readErr := c.Fill(in)
		for {
			cmd, ok, err := c.Next()
			if err != nil {
				return all, raw, err
			}
			if !ok {
				break
			}
			var words []string
			for _, arg := range cmd.Args {
				words = append(words, string(arg))
			}
			all, raw = append(all, words), append(raw, string(cmd.Raw))
		}
		if readErr != nil {
			return all, raw, nil
		}
	}
}

func replies(t testing.TB, in io.Reader, limit int) (all []string, err error) {
	t.Helper()
	r := NewReplies(limit)
	for {
		_, readErr := r.Fill(in)
		for {
			reply, ok, err := r.Next()
			if err != nil {
				return all, err
			}
			if !ok {
				break
			}
			if reply == nil {
				all = append(all, "too large")
				continue
			}
			all = append(all, string(reply))
		}
		if readErr != nil {
			return all, nil
		}
	}
}

// readers are ways in which bytes may come.
var readers = map[string]func(io.Reader) io.Reader{
	"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
}

func TestMalformedCommandsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"*1\r\n:5\r\n":                    "expected '$'",
		"*x\r\n":                          "invalid multibulk length",
		"*99999999999\r\n":                "invalid multibulk length",
		"*1048577\r\n":                    "invalid multibulk length",
		"*1\r\n$-1\r\n":                   "invalid bulk length",
		"*1\r\n$x\r\n":                    "invalid bulk length",
		"*1\r\n$4\r\nPINGxx":              "expected a line end",
		"*1\n$4\r\nPING\r\n":              "expected a line end",
		"*1\r\n$99999\r\n":                "too large",
		"*2\r\n$3\r\nGET\r\n*1\r\n":       "expected '$'",
		"SET k \"a b\"\r\n":               "quotes",
		strings.Repeat("x", 70_000):       "too big",
		"*" + strings.Repeat("1", 70_000): "too big",
		"*9999\r\n" + strings.Repeat("$0\r\n\r\n", 9999): "too large",
	} {
		for how, reader := range readers {
			if how == "byte by byte" && len(input) > 10_000 {
				continue
			}
			_, _, err := commands(t, reader(strings.NewReader(input)), 10_000)
			if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%.30q %s: want %q, got %v", input, how, want, err)
			}
		}
	}
}

func TestCommandsComeInPieces(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("v", 20_000)
	input := "*1\r\n$4\r\nPING\r\n" + "*0\r\n\r\n" + "PING hello\r\n" + "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n" + big + "\r\n" + "*2\r\n$3\r\nGET\r\n$0\r\n\r\n" + "*2\r\n$3\r\nG"
	want := [][]string{{"PING"}, {"PING", "hello"}, {"SET", "k", big}, {"GET", ""}}
	for how, reader := range readers {
		got, raw, err := commands(t, reader(strings.NewReader(input)), 1<<20)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %d commands, %v", how, len(got), err)
		}
		for i := range want {
			if strings.Join(got[i], "|") != strings.Join(want[i], "|") || raw[i] != string(AppendCommand(nil, want[i]...)) {
				t.Errorf("%s: command %d is %.60q, raw %.60q", how, i, got[i], raw[i])
			}
		}
	}
}

func TestABufferThatHasGrownIsGivenBack(t *testing.T) {
	t.Parallel()
	c := NewCommands(1 << 20)
	in := bytes.NewReader(append(AppendCommand(nil, "SET", "k", strings.Repeat("v", 300_000)), AppendCommand(nil, "PING")...))
	for c.Buffered() < 300_000 {
		if _, err := c.Fill(in); err != nil {
			t.Fatal(err)
		}
		_, _, _ = c.Next()
	}
	for in.Len() > 0 || c.Partial() {
		_, _ = c.Fill(in)
		for _, ok, _ := c.Next(); ok; _, ok, _ = c.Next() {
		}
	}
	_, _ = c.Fill(strings.NewReader("*"))
	if c.Buffered() > 8<<10 {
		t.Errorf("%d bytes are still held", c.Buffered())
	}
}

func TestMalformedRepliesAreRefused(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"x\r\n", "\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n", "$3\r\nabcde\r\n", "+OK\n", "*2147483649\r\n", "$?\r\n", "%9999999999\r\n%9999999999\r\n"} {
		if all, err := replies(t, strings.NewReader(input), 100); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %q, %v", input, all, err)
		}
	}
}

func TestRepliesOfEveryTypeAreFound(t *testing.T) {
	t.Parallel()
	want := []string{
		"+OK\r\n", "-ERR no\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*0\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
		"_\r\n", "#t\r\n", ",1.5\r\n", "(123\r\n", "=5\r\ntxt:x\r\n", "!3\r\nERR\r\n", "%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n", ">2\r\n+a\r\n+b\r\n",
		"|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n", "*1\r\n|1\r\n+a\r\n+b\r\n:5\r\n", "%0\r\n", strings.Repeat("*1\r\n", 1000) + ":1\r\n",
	}
	for how, reader := range readers {
		got, err := replies(t, reader(strings.NewReader(strings.Join(want, ""))), 1<<20)
		if err != nil || strings.Join(got, "¦") != strings.Join(want, "¦") {
			t.Errorf("%s: %q, %v", how, got, err)
		}
	}
}

func TestAReplyOverTheLimitIsReadOverAndHoldsNoMemory(t *testing.T) {
	t.Parallel()
	big := "$5000000\r\n" + strings.Repeat("x", 5_000_000) + "\r\n"
	many := "*100000\r\n" + strings.Repeat(":1\r\n", 100_000)
	for how, reader := range readers {
		if how == "byte by byte" {
			continue
		}
		r := NewReplies(1000)
		in := reader(strings.NewReader("+a\r\n" + big + ":1\r\n" + many + "+b\r\n"))
		var got []string
		for {
			_, err := r.Fill(in)
			for {
				reply, ok, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				got = append(got, string(reply))
			}
			if cap(r.b) > 256<<10 {
				t.Fatalf("%s: %d bytes are held", how, cap(r.b))
			}
			if err != nil {
				break
			}
		}
		if strings.Join(got, "|") != "+a\r\n||:1\r\n||+b\r\n" {
			t.Errorf("%s: %q", how, got)
		}
	}
}

func TestElementsOfAnArray(t *testing.T) {
	t.Parallel()
	e := NewElements([]byte("*4\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n:2\r\n_\r\n"))
	var got []string
	for element, ok := e.Next(); ok; element, ok = e.Next() {
		got = append(got, string(element))
	}
	if strings.Join(got, "|") != "$1\r\na\r\n|$-1\r\n|*2\r\n:1\r\n:2\r\n|_\r\n" {
		t.Errorf("%q", got)
	}
	if _, ok := NewElements([]byte("-ERR\r\n")).Next(); ok {
		t.Error("an error has elements")
	}
}

func TestNullsOfRESP2BecomeThoseOfRESP3(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"$-1\r\n": "_\r\n", "*-1\r\n": "_\r\n", "+OK\r\n": "+OK\r\n", ":-1\r\n": ":-1\r\n",
		"*3\r\n$5\r\n$-1\r\n\r\n$-1\r\n*1\r\n*-1\r\n": "*3\r\n$5\r\n$-1\r\n\r\n_\r\n*1\r\n_\r\n",
	} {
		if got := string(Nulls(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAnErrorIsOneLine(t *testing.T) {
	t.Parallel()
	if got := string(AppendError(nil, "ERR a\r\nb")); got != "-ERR a  b\r\n" {
		t.Errorf("%q", got)
	}
}

// However the bytes are cut, the same commands are found, and what is passed on
// means the same.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"*1\r\n$4\r\nPING\r\nPING x\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n", "*1\r\n$-1\r\n", "\r\n\r\n*3\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		whole, raw, err := commands(t, bytes.NewReader(input), 4096)
		pieces, _, pieceErr := commands(t, iotest.OneByteReader(bytes.NewReader(input)), 4096)
		if (err == nil) != (pieceErr == nil) || len(whole) != len(pieces) {
			t.Fatalf("whole: %q, %v; in pieces: %q, %v", whole, err, pieces, pieceErr)
		}
		again, _, err := commands(t, strings.NewReader(strings.Join(raw, "")), 1<<20)
		if err != nil || len(again) != len(whole) {
			t.Fatalf("passed on: %q, %v", again, err)
		}
		for i := range whole {
			if strings.Join(whole[i], "\x00") != strings.Join(again[i], "\x00") || strings.Join(whole[i], "\x00") != strings.Join(pieces[i], "\x00") {
				t.Fatalf("command %d: %q, in pieces %q, passed on %q", i, whole[i], pieces[i], again[i])
			}
		}
	})
}

// However the bytes are cut, the same replies are found, and together they are
// what came.
func FuzzReplies(f *testing.F) {
	for _, s := range []string{"+OK\r\n:1\r\n$-1\r\n", "*2\r\n$1\r\na\r\n%1\r\n+k\r\n_\r\n", "|1\r\n+a\r\n+b\r\n~1\r\n#t\r\n", "$3\r\nabc\r\n*-1\r\n=5\r\ntxt:x\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		whole, err := replies(t, bytes.NewReader(input), 1<<20)
		pieces, pieceErr := replies(t, iotest.OneByteReader(bytes.NewReader(input)), 1<<20)
		if (err == nil) != (pieceErr == nil) || strings.Join(whole, "") != strings.Join(pieces, "") || len(whole) != len(pieces) {
			t.Fatalf("whole: %q, %v; in pieces: %q, %v", whole, err, pieces, pieceErr)
		}
		if !bytes.HasPrefix(input, []byte(strings.Join(whole, ""))) {
			t.Fatalf("%q is not the beginning of %q", whole, input)
		}
		for _, reply := range whole {
			e := NewElements([]byte(reply))
			for _, ok := e.Next(); ok; _, ok = e.Next() {
			}
			_ = Nulls(nil, []byte(reply))
		}
		limited, err := replies(t, bytes.NewReader(input), 16)
		if err == nil && pieceErr == nil && len(limited) != len(whole) {
			t.Fatalf("with a limit %d replies, without %d", len(limited), len(whole))
		}
	})
}

func BenchmarkCommands(b *testing.B) {
	input := bytes.Repeat(AppendCommand(nil, "SET", "user:12345678:name", strings.Repeat("v", 64)), 16)
	c := NewCommands(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		in := bytes.NewReader(input)
		for in.Len() > 0 {
			_, _ = c.Fill(in)
			for _, ok, _ := c.Next(); ok; _, ok, _ = c.Next() {
			}
		}
	}
}

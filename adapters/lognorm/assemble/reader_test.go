package assemble_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func reader(name string, mode assemble.Mode) *assemble.Reader {
	formats, ok := format.ByName(name)
	if !ok {
		panic(name)
	}
	e := format.NewEnv(time.UTC)
	e.Now = time.Date(2024, 3, 5, 12, 0, 0, 0, time.UTC)
	return assemble.NewReader(assemble.Options{Formats: formats, Mode: mode, MaxLine: 512}, e)
}

// all reads a whole text and returns its records as lines of
// "outcome×lines severity body | attributes", and what was left.
func all(a *assemble.Reader, in []byte, flush assemble.Flush) (out []string, left []byte) {
	var s assemble.State
	var r record.Record
	for len(in) > 0 {
		result := a.Next(&s, in, flush, &r)
		if result.Outcome == assemble.More {
			return out, in
		}
		out = append(out, show(result, &r))
		in = in[result.N:]
	}
	return out, nil
}

func show(result assemble.Result, r *record.Record) string {
	name := map[assemble.Outcome]string{assemble.Parsed: "parsed", assemble.Unparsed: "unparsed", assemble.Blank: "blank", assemble.Hole: "hole"}[result.Outcome]
	head := fmt.Sprintf("%s×%d", name, result.Lines)
	if result.Outcome == assemble.Blank || result.Outcome == assemble.Hole {
		return head
	}
	var l record.Line
	var decoded struct {
		SeverityNumber int
		Body           any
		Attributes     map[string]any
	}
	if err := json.Unmarshal(l.Append(nil, r), &decoded); err != nil {
		return "invalid: " + err.Error()
	}
	delete(decoded.Attributes, "log.record.uid")
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(decoded.Attributes)) {
		if strings.HasPrefix(k, "code.") || strings.HasPrefix(k, "thread.") {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s=%v", k, decoded.Attributes[k]))
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %v | %s", head, decoded.SeverityNumber, decoded.Body, strings.Join(parts, " ")))
}

const javaTrace = `2024-03-05 10:11:12,123 [main] ERROR com.example.Main - it failed
java.lang.IllegalStateException: no state
	at com.example.Main.run(Main.java:42)
	at com.example.Main.main(Main.java:7)
Caused by: java.io.IOException: disk
	... 2 more
2024-03-05 10:11:13,000 [main] INFO  com.example.Main - next
`

const pythonTrace = `ERROR:root:it failed
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    g()
app.errors.Broken: no a
INFO:root:next
`

const goPanic = `I0305 10:11:12.000000 1 a.go:1] before
panic: runtime error: index out of range [3] with length 3 [recovered]
	panic: again

goroutine 1 [running]:
main.(*server).handle(0xc000012345, {0x1, 0x2})
	/src/main.go:42 +0x1d
created by main.main in goroutine 1
	/src/main.go:7 +0x2a

goroutine 7 [select]:
net/http.(*conn).serve(...)
	/go/net/http/server.go:1 +0x1
exit status 2
I0305 10:11:13.000000 1 a.go:2] after
`

const julLines = `Mar 05, 2024 10:11:12 AM com.example.Main run
SEVERE: it failed
java.lang.RuntimeException: why
	at com.example.Main.run(Main.java:1)
Mar 05, 2024 10:11:13 AM com.example.Main run
INFO: next
`

func TestAStackTraceIsOneRecordWithItsMessage(t *testing.T) {
	for in, want := range map[string][]string{
		javaTrace: {
			"parsed×6 17 it failed | exception.message=no state exception.stacktrace=java.lang.IllegalStateException: no state\n\tat com.example.Main.run(Main.java:42)\n\tat com.example.Main.main(Main.java:7)\nCaused by: java.io.IOException: disk\n\t... 2 more exception.type=java.lang.IllegalStateException",
			"parsed×1 9 next |",
		},
		pythonTrace: {
			"parsed×12 17 it failed | exception.message=no a exception.stacktrace=" + strings.TrimSuffix(strings.SplitN(pythonTrace, "\n", 2)[1], "\nINFO:root:next\n") + " exception.type=app.errors.Broken",
			"parsed×1 9 next |",
		},
		goPanic: {
			"parsed×1 9 before |",
			"parsed×13 21 panic: runtime error: index out of range [3] with length 3 [recovered] | exception.message=runtime error: index out of range [3] with length 3 [recovered] exception.stacktrace=" +
				strings.Join(strings.Split(goPanic, "\n")[2:14], "\n") + " exception.type=panic",
			"parsed×1 9 after |",
		},
		julLines: {
			"parsed×4 17 it failed | exception.message=why exception.stacktrace=java.lang.RuntimeException: why\n\tat com.example.Main.run(Main.java:1) exception.type=java.lang.RuntimeException",
			"parsed×2 9 next |",
		},
		"Exception in thread \"main\" java.lang.Error: x\n\tat a.b(C.java:1)\n": {"parsed×2 17 Exception in thread \"main\" java.lang.Error: x | exception.message=x exception.stacktrace=\tat a.b(C.java:1) exception.type=java.lang.Error"},
		"Traceback (most recent call last):\n  File \"a\"\nKeyboardInterrupt\n": {"parsed×3 17 Traceback (most recent call last): | exception.stacktrace=  File \"a\"\nKeyboardInterrupt exception.type=KeyboardInterrupt"},
		"fatal error: all goroutines are asleep - deadlock!\n":                  {"parsed×1 21 fatal error: all goroutines are asleep - deadlock! | exception.message=all goroutines are asleep - deadlock! exception.type=fatal error"},
	} {
		got, left := all(reader(format.Auto, assemble.Traces), []byte(in), assemble.Records)
		if !slices.Equal(got, want) || len(left) > 0 {
			t.Errorf("%s\nis\n%s\nwant\n%s", in, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestLinesThatContinueNothingStandAlone(t *testing.T) {
	in := "  indented\nERROR: no format\n{\"msg\":\"a\"}\n  after JSON\n192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] \"GET / HTTP/1.1\" 200 1\n\tat a.b\n\n"
	want := []string{"unparsed×1 0   indented | unparsed=format", "unparsed×1 0 ERROR: no format | unparsed=format", "parsed×1 0 a |", "unparsed×1 0   after JSON | unparsed=format",
		"parsed×1 9 GET / HTTP/1.1 | client.address=192.0.2.1 http.request.method=GET http.response.body.size=1 http.response.status_code=200 network.protocol.version=1.1 url.path=/", "unparsed×1 0 \tat a.b | unparsed=format", "blank×1"}
	if got, _ := all(reader(format.Auto, assemble.Traces), []byte(in), assemble.Records); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestModesSayWhatContinuesARecord(t *testing.T) {
	in := "ERROR - first\n  second\nthird\nINFO - next\n"
	for mode, want := range map[assemble.Mode][]string{
		assemble.Traces:  {"parsed×2 17 first\n  second |", "unparsed×1 0 third | unparsed=format", "parsed×1 9 next |"},
		assemble.Headers: {"parsed×3 17 first\n  second\nthird |", "parsed×1 9 next |"},
		assemble.Off:     {"parsed×1 17 first |", "unparsed×1 0   second | unparsed=format", "unparsed×1 0 third | unparsed=format", "parsed×1 9 next |"},
	} {
		if got, _ := all(reader("log4j", mode), []byte(in), assemble.Records); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s", mode, strings.Join(got, "\n"))
		}
	}
}

func TestARecordThatMayGoOnIsLeftUntilItsEndIsCertain(t *testing.T) {
	a := reader(format.Auto, assemble.Traces)
	for in, want := range map[string]string{
		"ERROR - a\n": "ERROR - a\n", "ERROR - a\n\tat x": "ERROR - a\n\tat x", "{\"msg\":\"a\"}\nhalf": "half", "Mar 05, 2024 10:11:12 AM a b\n": "Mar 05, 2024 10:11:12 AM a b\n",
		"panic: a\n\n": "panic: a\n\n", "ERROR - a\n\tat b\nx\n": "",
	} {
		if _, left := all(a, []byte(in), assemble.Wait); string(left) != want {
			t.Errorf("of %q is left %q, want %q", in, left, want)
		}
	}
	if _, left := all(a, []byte("ERROR - a\n\tat x"), assemble.Records); string(left) != "\tat x" {
		t.Errorf("%q", left)
	}
	if got, left := all(a, []byte("ERROR - a\n\tat x"), assemble.All); len(left) > 0 || len(got) != 1 {
		t.Errorf("%q %q", got, left)
	}
}

func TestDamagedBytesAreKept(t *testing.T) {
	a := reader(format.Auto, assemble.Traces)
	for in, want := range map[string][]string{
		"caf\xe9 \x01\n":                                  {"unparsed×1 0 caf\ufffd \x01 | log.record.original.base64=Y2Fm6SAB unparsed=format"},
		"ERROR - caf\xe9\n\tat \xff\n":                    {"parsed×2 17 caf\ufffd | exception.stacktrace=\tat \ufffd log.record.original.base64=RVJST1IgLSBjYWbpCglhdCD/"},
		"a\x00b\n":                                        {"unparsed×1 0 a\x00b | unparsed=format"},
		strings.Repeat("\x00", 99) + "ERROR - a\n":        {"hole×0", "parsed×1 17 a |"},
		strings.Repeat("é", 300) + "\r\n" + "ERROR - a\n": {"unparsed×0 0 " + strings.Repeat("é", 256) + " | unparsed=too long", "unparsed×1 0 " + strings.Repeat("é", 44) + " | unparsed=too long", "parsed×1 17 a |"},
	} {
		if got, _ := all(a, []byte(in), assemble.Records); !slices.Equal(got, want) {
			t.Errorf("%q is\n%q\nwant\n%q", in, got, want)
		}
	}
}

// However the bytes arrive, the records are the same, and every byte is taken.
func FuzzAnyCutGivesTheSameRecords(f *testing.F) {
	for _, seed := range []string{javaTrace, pythonTrace, goPanic, julLines, "a\xff\n\x00\n\r\n", strings.Repeat("x", 1200) + "\n{\"msg\":1}\n"} {
		f.Add([]byte(seed), uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint16) {
		in = append(in, "\nI0305 10:11:12.000000 1 a.go:1] end\n"...) // so that what was in pieces is complete
		a := reader(format.Auto, assemble.Traces)
		want, left := all(a, in, assemble.Records)
		if len(left) > 0 {
			t.Fatalf("%q was left", left)
		}
		var got []string
		var s assemble.State
		var r record.Record
		for from, end := 0, 0; from < len(in); {
			end = min(end+1+int(step%700), len(in))
			flush := assemble.Wait
			if end == len(in) {
				flush = assemble.Records
			}
			for from < end {
				result := a.Next(&s, in[from:end], flush, &r)
				if result.Outcome == assemble.More {
					break
				}
				got = append(got, show(result, &r))
				from += result.N
			}
		}
		if got, want := merged(got), merged(want); !slices.Equal(got, want) {
			t.Fatalf("in pieces\n%q\nat once\n%q", got, want)
		}
	})
}

// merged joins neighbouring holes and drops blank lines, which may be cut anywhere.
func merged(records []string) []string {
	return slices.Compact(slices.DeleteFunc(records, func(r string) bool { return strings.HasPrefix(r, "hole") || strings.HasPrefix(r, "unparsed×0") }))
}

package format_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Each parser is fuzzed alone, since detection would keep most lines from it:
// it must not fail, give the same answer again, and give what both encodings can
// carry.

func FuzzGlog(f *testing.F) {
	fuzz(f, format.Glog, `I0305 10:11:12.123456   12345 server.go:42] "a" b="c"`, `E20240301 10:11:12.5 77 x.cc:9] lost`)
}

func FuzzLog4j(f *testing.F) {
	fuzz(f, format.Log4j, `2024-03-05T10:11:12.123+01:00  INFO 123 --- [a] [main] c.e.Main : x`, `176 [main] INFO  org.foo.Bar one - found`, `[2024-03-05 10:11:12,123] INFO x (a.B)`,
		`2024-03-05 10:11:12.123 o.a.s main [INFO] x`, `ERROR - x`)
}

func FuzzAccess(f *testing.F) {
	fuzz(f, format.Access, `::1 - a [05/Mar/2024:10:11:12 +0100] "GET /a?b HTTP/1.1" 200 - "r" "u" 3`)
}

func FuzzSyslog(f *testing.F) {
	fuzz(f, format.Syslog, `<165>1 2003-10-11T22:14:15.003Z h a - ID47 [x@1 t="a\]b\"c"] e`, `<34>Oct 11 22:14:15 m su[1]: x`, `2024-03-05T10:11:12.123456+01:00 host app[1]: hello`)
}

func FuzzJUL(f *testing.F) {
	fuzz(f, format.JUL, `Mar 05, 2024 1:11:12 PM com.example.Main run`)
}

func FuzzJULMessage(f *testing.F) {
	fuzz(f, func(_ *format.Env, line []byte, r *record.Record) bool { return format.JULMessage(line, r) }, `SEVERE: a`, `INFO:`)
}

func FuzzPython(f *testing.F) { fuzz(f, format.Python, `WARNING:app.db:slow: 3 s`) }

func FuzzLogfmt(f *testing.F) {
	fuzz(f, format.Logfmt, `time=2024-03-05T10:11:12Z level=warn msg="a \"b\" \x41" free=3`)
}

func FuzzJSON(f *testing.F) {
	fuzz(f, format.JSON, `{"time":"2024-03-05T10:11:12.5+01:00","level":30,"msg":"\ud83d","n":1e400,"deep":{"a":[1,"\u0000"]}}`,
		`{"log":"E0305 10:11:12.000000 1 a.go:1] inner\n","stream":"stderr","time":"2024-03-05T10:11:13Z"}`, `{"instant":{"epochSecond":1,"nanoOfSecond":5},"":1}`)
}

func fuzz(f *testing.F, read format.Func, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.ToValidUTF8(line, []byte("\ufffd")) // as callers promise
		e := env("Europe/Berlin")
		var line1, line2 []byte
		for _, out := range []*[]byte{&line1, &line2} {
			r := record.Record{Observed: 1}
			if !read(e, line, &r) {
				return
			}
			var l record.Line
			*out = l.Append(nil, &r)
			var o record.OTLP
			request := o.End(o.Append(nil, &r))
			if !json.Valid(*out) || !json.Valid(request) {
				t.Fatalf("%q gives no JSON: %s%s", line, *out, request)
			}
			if len(r.Attrs) > record.MaxAttrs+16 {
				t.Fatalf("%d attributes", len(r.Attrs))
			}
		}
		if !bytes.Equal(line1, line2) {
			t.Fatalf("%q gives %s, then %s", line, line1, line2)
		}
	})
}

package format_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the lines of these tests are read.
var now = time.Date(2024, 3, 5, 12, 0, 0, 0, time.UTC)

func env(zone string) *format.Env {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	e := format.NewEnv(location)
	e.Now = now
	return e
}

// detect reads a line as detection does and returns the format's name, and the
// record as sorted text.
func detect(e *format.Env, line string) (string, string) {
	for _, f := range format.Detected() {
		r := record.Record{Observed: 1}
		if f.Read(e, []byte(line), &r) {
			return f.Name, show(r)
		}
	}
	return "none", ""
}

// show writes a record as "time SEVERITY/level body | key=value …", in order.
func show(r record.Record) string {
	var l record.Line
	var decoded struct {
		Timestamp, SeverityText, TraceId, SpanId string
		SeverityNumber                           int
		Body                                     any
		Resource, Attributes                     map[string]any
		InstrumentationScope                     struct{ Name string }
	}
	if err := json.Unmarshal(l.Append(nil, &r), &decoded); err != nil {
		return "invalid: " + err.Error()
	}
	var parts []string
	if decoded.InstrumentationScope.Name != "" {
		parts = append(parts, "scope="+decoded.InstrumentationScope.Name)
	}
	if decoded.TraceId != "" {
		parts = append(parts, "trace="+decoded.TraceId, "span="+decoded.SpanId)
	}
	delete(decoded.Attributes, "log.record.uid")
	for _, set := range []map[string]any{decoded.Resource, decoded.Attributes} {
		for _, k := range slices.Sorted(maps.Keys(set)) {
			parts = append(parts, fmt.Sprintf("%s=%v", k, set[k]))
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d/%s %v | %s", decoded.Timestamp, decoded.SeverityNumber, decoded.SeverityText, decoded.Body, strings.Join(parts, " ")))
}

func TestEachFormatIsDetectedAndReadWhole(t *testing.T) {
	for _, c := range []struct{ format, line, want string }{
		{"glog", `I0305 10:11:12.123456   12345 server.go:42] ready: x`, `2024-03-05T10:11:12.123456Z 9/I ready: x | code.file.path=server.go code.line.number=42 thread.id=12345`},
		{"glog", `F1231 23:59:59.000001 1 a.cc:1] `, `2023-12-31T23:59:59.000001Z 21/F  | code.file.path=a.cc code.line.number=1 thread.id=1`},
		{"glog", `E20240301 10:11:12.5 77 x.cc:9] lost`, `2024-03-01T10:11:12.5Z 17/E lost | code.file.path=x.cc code.line.number=9 thread.id=77`},
		{"glog", `W0305 10:11:12.000000       1 kubelet.go:7] "Pod \"a\" gone" pod="ns/a" n=3`, `2024-03-05T10:11:12Z 13/W Pod "a" gone | code.file.path=kubelet.go code.line.number=7 n=3 pod=ns/a thread.id=1`},
		{"glog", `I0305 10:11:12.000000       1 kubelet.go:7] "quoted" and more`, `2024-03-05T10:11:12Z 9/I "quoted" and more | code.file.path=kubelet.go code.line.number=7 thread.id=1`},
		{"glog", `Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg`, `0/ Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg |`},

		{"log4j", `10:11:12.123 [main] ERROR com.example.Main - a message`, `2024-03-05T10:11:12.123Z 17/ERROR a message | scope=com.example.Main thread.name=main`},
		{"log4j", `23:11:12.123 [main] ERROR com.example.Main - yesterday`, `2024-03-04T23:11:12.123Z 17/ERROR yesterday | scope=com.example.Main thread.name=main`},
		{"log4j", `2024-03-05 10:11:12,123 [pool-1 thread-2] WARN  com.example.Main - a - message`, `2024-03-05T10:11:12.123Z 13/WARN a - message | scope=com.example.Main thread.name=pool-1 thread-2`},
		{"log4j", `2024-03-05 10:11:12,123 INFO [main] org.apache.hadoop.Main: a message`, `2024-03-05T10:11:12.123Z 9/INFO a message | scope=org.apache.hadoop.Main thread.name=main`},
		{"log4j", `2024-03-05 10:11:12 ERROR Main:42 - a message`, `2024-03-05T10:11:12Z 17/ERROR a message | scope=Main code.line.number=42`},
		{"log4j", `2024-03-05 10:11:12,123 INFO  [main] namenode.NameNode (NameNode.java:run(42)) - started`, `2024-03-05T10:11:12.123Z 9/INFO started | scope=namenode.NameNode log4j.location=NameNode.java:run(42) thread.name=main`},
		{"log4j", `2024-03-05T10:11:12.123+01:00  INFO 123 --- [shop] [           main] c.e.Main                 : Started`, `2024-03-05T09:11:12.123Z 9/INFO Started | scope=c.e.Main log4j.context=shop process.pid=123 thread.name=main`},
		{"log4j", `2024-03-05 10:11:12.123 o.a.s.d.nimbus main [INFO] Starting - now`, `2024-03-05T10:11:12.123Z 9/INFO Starting - now | scope=o.a.s.d.nimbus thread.name=main`},
		{"log4j", `[2024-03-05 10:11:12,123] INFO [Server id=0] started (kafka.server.KafkaServer)`, `2024-03-05T10:11:12.123Z 9/INFO [Server id=0] started | scope=kafka.server.KafkaServer`},
		{"log4j", `176 [main] INFO  org.foo.Bar one two - found`, `9/INFO found | scope=org.foo.Bar log4j.context=one two log4j.elapsed_ms=176 thread.name=main`},
		{"log4j", `ERROR - a message`, `17/ERROR a message |`},
		{"log4j", `2024-03-05 10:11:12,123 - app.db - WARNING - slow`, `2024-03-05T10:11:12.123Z 13/WARNING slow | scope=app.db`},
		{"log4j", `2024-03-05 10:11:12,123 [myid:1] - INFO  [main:QuorumPeer@12] - started`, `2024-03-05T10:11:12.123Z 9/INFO started | log4j.context=myid:1 thread.name=main:QuorumPeer@12`},
		{"log4j", `2024-03-05 10:11:12 ERROR something bad [here] happened`, `2024-03-05T10:11:12Z 17/ERROR something bad [here] happened |`},
		{"log4j", `2024/03/05 10:11:12 [error] 12#0: *1 open() failed`, `2024-03-05T10:11:12Z 17/error 12#0: *1 open() failed |`},

		{"access", `192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] "GET /a?b=c HTTP/1.1" 200 512`, `2024-03-05T09:11:12Z 9/ GET /a?b=c HTTP/1.1 | client.address=192.0.2.1 http.request.method=GET http.response.body.size=512 http.response.status_code=200 network.protocol.version=1.1 url.path=/a url.query=b=c`},
		{"access", `2001:db8::1 - ann lee [05/Mar/2024:10:11:12 +0000] "POST / HTTP/2.0" 503 - "https://example.com/" "a \"b\" c" 0.001`, `2024-03-05T10:11:12Z 17/ POST / HTTP/2.0 | access.more=0.001 client.address=2001:db8::1 http.request.header.referer=[https://example.com/] http.request.method=POST http.response.status_code=503 network.protocol.version=2.0 url.path=/ user.name=ann lee user_agent.original=a \"b\" c`},
		{"access", `host.example - - [05/Mar/2024:10:11:12 +0000] "\x16\x03\x01" 400 0 "-" "-"`, `2024-03-05T10:11:12Z 13/ \x16\x03\x01 | client.address=host.example http.response.body.size=0 http.response.status_code=400`},

		{"syslog", `<34>Oct 11 22:14:15 mymachine su: 'su root' failed`, `2023-10-11T22:14:15Z 18/crit 'su root' failed | host.name=mymachine service.name=su syslog.facility.code=4`},
		{"syslog", `Mar  5 10:11:12 host sshd[42]: Accepted`, `2024-03-05T10:11:12Z 0/ Accepted | host.name=host service.name=sshd syslog.procid=42`},
		{"syslog", `<165>1 2003-10-11T22:14:15.003Z m.example.com evntslog - ID47 [x@1 iut="3" t="a\]b\"c"][y@1 k="v"] An event`, `2003-10-11T22:14:15.003Z 10/notice An event | host.name=m.example.com service.name=evntslog syslog.facility.code=20 syslog.msgid=ID47 syslog.structured_data.x@1.iut=3 syslog.structured_data.x@1.t=a]b"c syslog.structured_data.y@1.k=v`},
		{"syslog", `<0>1 - - - - - -`, `0001-01-01T00:00:00Z`},
		{"syslog", `2024-03-05T10:11:12.123456+01:00 host app[1]: hello`, `2024-03-05T09:11:12.123456Z 0/ hello | host.name=host service.name=app syslog.procid=1`},

		{"jul", `Mar 05, 2024 1:11:12 PM com.example.Main run`, `2024-03-05T13:11:12Z 0/ <nil> | scope=com.example.Main code.function.name=run`},
		{"jul", "Mar 5, 2024, 12:11:12\u202fAM com.example.Main lambda$0", `2024-03-05T00:11:12Z 0/ <nil> | scope=com.example.Main code.function.name=lambda$0`},

		{"python", `WARNING:app.db:slow: 3 s`, `13/WARNING slow: 3 s | scope=app.db`},

		{"logfmt", `time=2024-03-05T10:11:12Z level=warn msg="disk \"a\" full" free=3 path=/var/lib`, `2024-03-05T10:11:12Z 13/warn disk "a" full | free=3 path=/var/lib`},
		{"logfmt", `ts=1709633472.5 lvl=eror a= b="x"`, `2024-03-05T10:11:12.5Z 0/ <nil> | a= b=x lvl=eror`},

		{"json", `{"time":"2024-03-05T10:11:12.5+01:00","level":"INFO","msg":"ready","n":1,"deep":{"a":[1]},"err":"no"}`, `2024-03-05T09:11:12.5Z 9/INFO ready | deep=map[a:[1]] exception.message=no n=1`},
		{"json", `{"ts":1709633472.123,"level":"error","logger":"db","caller":"db/a.go:12","msg":"slow","stacktrace":"a\nb"}`, "2024-03-05T10:11:12.123Z 17/error slow | scope=db code.file.path=db/a.go code.line.number=12 exception.stacktrace=a\nb"},
		{"json", `{"level":30,"time":1709633472123,"pid":7,"hostname":"h","msg":"pino"}`, `2024-03-05T10:11:12.123Z 9/30 pino | host.name=h process.pid=7`},
		{"json", `{"@timestamp":"2024-03-05T10:11:12Z","log.level":"WARN","message":"ecs","service.name":"shop","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736","span.id":"00f067aa0ba902b7"}`, `2024-03-05T10:11:12Z 13/WARN ecs | trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 service.name=shop`},
		{"json", `{"instant":{"epochSecond":1709633472,"nanoOfSecond":5},"level":"INFO","loggerName":"a.B","thread":"main","message":"log4j2"}`, `2024-03-05T10:11:12.000000005Z 9/INFO log4j2 | scope=a.B thread.name=main`},
		{"json", `{"severity":"CRITICAL","timestamp":{"seconds":1709633472,"nanos":1},"message":{"a":1},"logging.googleapis.com/trace":"projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736"}`, `2024-03-05T10:11:12.000000001Z 18/CRITICAL map[a:1] | trace=4bf92f3577b34da6a3ce929d0e0e4736 span=`},
		{"json", `{"event":"structlog","level":"info","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`, `9/info structlog | trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7`},
		{"json", `{"log":"E0305 10:11:12.000000 1 a.go:1] inner\n","stream":"stderr","time":"2024-03-05T10:11:13Z"}`, `2024-03-05T10:11:12Z 17/E inner | code.file.path=a.go code.line.number=1 log.iostream=stderr thread.id=1`},
		{"json", `{"log":"just text\n","stream":"stdout","time":"2024-03-05T10:11:13Z"}`, `2024-03-05T10:11:13Z 0/ just text | log.iostream=stdout`},
		{"json", `{"msg":"a","msg":"b","x":1,"x":2,"log.record.uid":"mine"}`, `0/ a | line.log.record.uid=mine msg=b x=2`},
		{"json", `{}`, `0/ <nil> |`},
	} {
		name, got := detect(env("UTC"), c.line)
		if strings.HasPrefix(c.want, "0001") {
			c.want = `21/emerg  | syslog.facility.code=0`
		}
		if name != c.format || got != c.want {
			t.Errorf("%s\n is %s: %s\nwant %s: %s", c.line, name, got, c.format, c.want)
		}
	}
}

func TestWhatIsOfNoFormatIsLeftAlone(t *testing.T) {
	for _, line := range []string{
		"", "hello", "just a sentence with an ERROR in it", "2024-03-05 10:11:12 we had an ERROR here", "I0305 is not glog", "I0305 99:11:12.1 1 a.go:1] x",
		"I1305 10:11:12.1 1 a.go:1] x", `{"a":1`, `{"a":1}}`, "<999>Oct 11 22:14:15 a b: c", "<34>Oct 41 22:14:15 a b: c", "a=b", "a=b c", "E = mc² a=b",
		`192.0.2.1 - - [05/Mrz/2024:10:11:12 +0100] "GET / HTTP/1.1" 200 1`, `192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] "GET / HTTP/1.1`,
		"Mar 05, 2024 13:11:12 PM a b", "WARNING: not python", "\x00\x00\x00", "aGVsbG8= d29ybGQ=", "<13>1 not a time host app - - - x",
		`<165>1 2003-10-11T22:14:15.003Z h a - I [x@1 k="v] no end`,
	} {
		if name, got := detect(env("UTC"), line); name != "none" {
			t.Errorf("%q is %s: %s", line, name, got)
		}
	}
}

func TestTimesAreOfTheZoneOfTheSourceUnlessTheyNameOne(t *testing.T) {
	for line, want := range map[string]string{
		"2024-03-05 10:11:12 ERROR a - b":       "2024-03-05T09:11:12Z",
		"2024-07-05 10:11:12 ERROR a - b":       "2024-07-05T08:11:12Z",
		"2024-03-05 10:11:12+05:30 ERROR a - b": "2024-03-05T04:41:12Z",
		"Mar  5 10:11:12 host app: x":           "2024-03-05T09:11:12Z",
		"I0305 10:11:12.000000 1 a.go:1] x":     "2024-03-05T09:11:12Z",
		"Dec 31 10:11:12 host app: last year's": "2023-12-31T09:11:12Z",
		"Mar  6 23:11:12 host app: ahead":       "2024-03-06T22:11:12Z",
		"Feb 29 10:11:12 host app: leap day":    "2024-02-29T09:11:12Z",
	} {
		if _, got := detect(env("Europe/Berlin"), line); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// The result depends on the line alone.
func TestTheSameLineGivesTheSameRecordWhateverCameBefore(t *testing.T) {
	e := env("Europe/Berlin")
	line := "2024-03-05 10:11:12,123 [main] WARN  com.example.Main - a"
	_, first := detect(e, line)
	for _, other := range []string{`{"a":1,"time":"2024-10-27T01:30:00Z"}`, "2024-10-27 02:30:00 ERROR a - b", "x", "a=b c=d"} {
		detect(e, other)
		if _, again := detect(e, line); again != first {
			t.Errorf("after %s: %s, before it %s", other, again, first)
		}
	}
}

func TestEveryNameIsAFormat(t *testing.T) {
	for _, name := range format.Names() {
		if list, ok := format.ByName(name); !ok || len(list) == 0 {
			t.Errorf("%s is unknown", name)
		}
	}
	if _, ok := format.ByName("xml"); ok {
		t.Error("xml is known")
	}
}

package lognorm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/adapters/lognorm"
	"github.com/flotilla-dev/flotilla/internal/config"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestWrongConfigurationNamesEveryMistake(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sources.yaml")
	if err := os.WriteFile(file, []byte("sources:\n- {name: a, files: [x]}\n- {name: a, stdin: true, format: xml}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string
		want []string
	}{
		{map[string]string{}, []string{"LOGNORM_FILES", "there is nothing to read"}},
		{map[string]string{"LOGNORM_FILES": "/a", "LOGNORM_STDIN": "on"}, []string{"LOGNORM_SOURCES_FILE"}},
		{map[string]string{"LOGNORM_FILES": "/a", "LOGNORM_SOURCES_FILE": file}, []string{"excludes"}},
		{map[string]string{"LOGNORM_FILES": "/logs/*", "LOGNORM_STATE_FILE": "/logs/state"}, []string{"LOGNORM_STATE_FILE", "put it elsewhere"}},
		{map[string]string{"LOGNORM_SOURCES_FILE": file}, []string{`files "x"`, `"a" is used twice`, `format "xml"`}},
		{map[string]string{"LOGNORM_FILES": "logs/*.log", "LOGNORM_TIMEZONE": "Mars/Base", "LOGNORM_START": "middle"}, []string{"logs/*.log", "Mars/Base", "middle"}},
		{map[string]string{"LOGNORM_FILES": "/a", "LOGNORM_MAX_LINE": "1MiB", "LOGNORM_BUFFER": "1KiB", "LOGNORM_SAVE_LINES": "1", "LOGNORM_MAX_FILES": "0", "LOGNORM_POLL_INTERVAL": "0s", "LOGNORM_STATE_FILE": "state"},
			[]string{"LOGNORM_MAX_LINE", "LOGNORM_BUFFER", "LOGNORM_SAVE_LINES", "LOGNORM_MAX_FILES", "LOGNORM_POLL_INTERVAL", "LOGNORM_STATE_FILE"}},
	} {
		_, err := try(t, c.env, nil)
		if err == nil {
			t.Errorf("%v is accepted", c.env)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %s is missing in %v", c.env, want, err)
			}
		}
		var wrong config.Error
		if !asConfig(err, &wrong) {
			t.Errorf("%v is not an error of configuration", err)
		}
	}
}

func TestEveryLineLeavesOnceThroughRotations(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("*.log"), "LOGNORM_SERVICE": "shop"}, nil)
	l.append("app.log", numbered(0, 500))
	r.await(499)
	n := 500
	for round := range 12 {
		l.append("app.log", numbered(n, n+500))
		n += 500
		switch round % 3 {
		case 1:
			l.rename("app.log", fmt.Sprintf("app.log.%d", round))
		case 2: // copytruncate
			await.That(t, "the file is there", func() bool { return len(r.source("files").Files) > 0 })
			content, err := os.ReadFile(l.path("app.log"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(l.path(fmt.Sprintf("app.log.%d", round)), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(l.path("app.log"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := r.await(n)
	if repeated := wantEach(t, all, n); repeated > 0 {
		t.Errorf("%d records were repeated", repeated)
	}
	if e := all[0]; e.Resource["service.name"] != "shop" || e.Attributes["log.file.name"] != "app.log" || e.ObservedTimestamp == "" {
		t.Errorf("%+v", e)
	}
	s := r.source("files")
	if s.Lines != uint64(n) || s.Unparsed != uint64(n/5) || len(s.Lost) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatATruncationTakesIsCountedAndTold(t *testing.T) {
	l := newLogs(t)
	in, blocked, release := blocking()
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_BUFFER": "512KiB"}, func(c *lognorm.Config) { c.Out = in })
	l.append("app.log", numbered(0, 60_000))
	<-blocked
	await.That(t, "the file is seen", func() bool { return r.source("files").LagBytes > 0 })
	if err := os.Truncate(l.path("app.log"), 0); err != nil {
		t.Fatal(err)
	}
	release()
	await.That(t, "the loss is told", func() bool { return r.source("files").Lost["truncated"].Bytes > 1_000_000 })
	await.That(t, "the metrics tell it too", func() bool {
		metrics := get(t, r.admin+"/metrics")
		return strings.Contains(metrics, `lognorm_lost_bytes_total{reason="truncated",source="files"}`) && strings.Contains(metrics, `lognorm_truncations_total{source="files"} 1`)
	})
}

// A burst larger than every buffer, and an output that does not read.
func TestASlowOutputMakesSourcesWaitAndLosesNothing(t *testing.T) {
	l := newLogs(t)
	in, blocked, release := blocking()
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_BUFFER": "512KiB"}, func(c *lognorm.Config) { c.Out = in })
	const n = 60_000
	l.append("app.log", numbered(0, n))
	<-blocked
	await.That(t, "the buffer is full", func() bool {
		return strings.Contains(get(t, r.admin+"/metrics"), "lognorm_buffered_batches 1") // one more is being written
	})
	if s := r.source("files"); s.Lines != 0 || s.LagBytes < 1<<20 {
		t.Errorf("%+v", s)
	}
	release()
	await.That(t, "all lines leave", func() bool { return r.source("files").Lines == n })
	wantEach(t, entries(t, in.String()), n)
}

// An output that is never read must not keep the process from ending, and what
// it did not take is read again.
func TestAnOutputThatIsNeverReadDoesNotKeepTheProcess(t *testing.T) {
	l := newLogs(t)
	in, blocked, release := blocking()
	defer release()
	env := map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state/s.json"), "DRAIN_TIMEOUT": "300ms"}
	r := start(t, env, func(c *lognorm.Config) { c.Out = in })
	l.append("app.log", numbered(0, 100))
	<-blocked
	if err := r.end(); err == nil || !strings.Contains(err.Error(), "will be read again") {
		t.Errorf("error %v", err)
	}
	again := start(t, env, nil)
	wantEach(t, again.await(100), 100)
}

func TestAnEndInOrderDeliversWhatWasWrittenBeforeIt(t *testing.T) {
	l := newLogs(t)
	env := map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state/s.json"), "LOGNORM_POLL_INTERVAL": "1h", "LOGNORM_TRACE_WAIT": "1h"}
	l.append("app.log", numbered(0, 10))
	r := start(t, env, nil)
	r.await(9) // the last one may have a trace
	l.append("app.log", numbered(10, 21)+"half a li")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	first := entries(t, r.out.String())
	wantEach(t, first, 21)
	l.append("app.log", "ne <21>\n")
	env["LOGNORM_POLL_INTERVAL"] = "5ms"
	rest := start(t, env, nil).await(1)
	if len(rest) != 1 || rest[0].Body != "half a line <21>" {
		t.Errorf("%+v", rest)
	}
}

func TestALineWithoutItsEndLeavesAfterAWhile(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log")}, nil)
	l.append("app.log", "no end")
	if all := r.await(1); all[0].Body != "no end" || all[0].Attributes["unparsed"] != "format" {
		t.Errorf("%+v", all)
	}
}

func TestATraceThatIsWrittenSlowlyIsOneRecord(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_TRACE_WAIT": "2s"}, nil)
	l.append("app.log", "ERROR - failed\njava.lang.Error: x\n\tat ")
	await.That(t, "the first part is seen", func() bool { return r.source("files").LagBytes > 0 })
	l.append("app.log", "a.B.c(D.java:1)\nINFO - next\n")
	all := r.await(2)
	if all[0].Attributes["exception.stacktrace"] != "java.lang.Error: x\n\tat a.B.c(D.java:1)" || all[1].Body != "next" {
		t.Errorf("%+v", all)
	}
}

func TestTheLevelMayBeInTheNameOfTheFile(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("*"), "LOGNORM_FORMAT": "plain"}, nil)
	for _, name := range []string{"app.ERROR", "warn.log", "app.host.user.log.FATAL.20240305-101112.1", "all.log"} {
		l.append(name, "from "+name+"\n")
	}
	got := map[string]string{}
	for _, e := range r.await(4) {
		got[fmt.Sprint(e.Body)] = fmt.Sprintf("%d %s", e.SeverityNumber, e.SeverityText)
	}
	for name, want := range map[string]string{"app.ERROR": "17 ERROR", "warn.log": "13 warn", "app.host.user.log.FATAL.20240305-101112.1": "21 FATAL", "all.log": "0 "} {
		if got["from "+name] != want {
			t.Errorf("%s has %q, want %q", name, got["from "+name], want)
		}
	}
}

func TestTheLevelOfTheNameOutlivesATruncation(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("*"), "LOGNORM_FORMAT": "plain"}, nil)
	l.append("app.ERROR", "before\n")
	r.await(1)
	if err := os.Truncate(l.path("app.ERROR"), 0); err != nil {
		t.Fatal(err)
	}
	l.append("app.ERROR", "after\n")
	if all := r.await(2); all[1].SeverityText != "ERROR" {
		t.Errorf("%+v", all)
	}
}

func TestGarbageIsPassedOnMarked(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_MAX_LINE": "1KiB"}, nil)
	l.append("app.log", "\xff\xfe\x00x\n\n"+strings.Repeat("long ", 1000)+"\n"+strings.Repeat("\x00", 5000)+"{\"msg\":\"after a hole\"}\n")
	all := r.await(7)
	body := ""
	for _, e := range all[1:6] {
		if e.Attributes["unparsed"] != "too long" {
			t.Errorf("%+v", e)
		}
		body += fmt.Sprint(e.Body)
	}
	if all[0].Attributes["log.record.original.base64"] != "//4AeA==" || body != strings.Repeat("long ", 1000) || all[6].Body != "after a hole" {
		t.Errorf("%+v", all)
	}
	await.That(t, "it is counted", func() bool {
		s := r.source("files")
		return s.Lines == 3 && s.Unparsed == 2 && s.Blank == 1 && s.HoleBytes == 5000
	})
}

func TestAStateThatIsNoneIsToldAndEverythingIsReadAgain(t *testing.T) {
	l := newLogs(t)
	if err := os.WriteFile(l.path("state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.append("app.log", numbered(0, 10))
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state.json"), "LOGNORM_START": "end"}, nil)
	wantEach(t, r.await(10), 10)
}

func TestAnUnwritableStateIsAnErrorAtStart(t *testing.T) {
	if _, err := try(t, map[string]string{"LOGNORM_FILES": "/x", "LOGNORM_STATE_FILE": "/proc/none/state.json"}, nil); err == nil || !strings.Contains(err.Error(), "LOGNORM_STATE_FILE") {
		t.Errorf("error %v", err)
	}
}

func TestUnknownSourceIsAProblem(t *testing.T) {
	r := start(t, map[string]string{"LOGNORM_FILES": "/none/*.log"}, nil)
	if body := get(t, r.data+"/v1/sources/none"); !strings.Contains(body, "no-such-source") {
		t.Error(body)
	}
	if body := get(t, r.data+"/v1/sources"); !strings.Contains(body, `"name":"files"`) {
		t.Error(body)
	}
}

// blocking returns an output whose first write blocks until release; blocked is
// closed when it does.
func blocking() (out *gate, blocked <-chan struct{}, release func()) {
	g := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	return g, g.entered, g.release
}

type gate struct {
	output
	entered, open chan struct{}
	first         bool
	released      bool
}

func (g *gate) Write(b []byte) (int, error) {
	if !g.first {
		g.first = true
		close(g.entered)
		<-g.open
	}
	return g.output.Write(b)
}

func (g *gate) release() {
	if !g.released {
		g.released = true
		close(g.open)
	}
}

func asConfig(err error, to *config.Error) bool { return errors.As(err, to) }

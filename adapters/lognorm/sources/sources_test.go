package sources_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryMistakeIsNamed(t *testing.T) {
	_, err := sources.Parse([]byte(`
sources:
  - name: a b
    files: [relative.log, "/logs/[.log"]
  - name: two
    files: [/a]
    stdin: true
  - name: two
    slowlog: {address: nowhere, user: ann, every: 5}
  - name: rest
    rest: {url: "ftp://x", severity: loud}
  - name: none
  - name: lines
    files: [/a]
    format: xml
    multiline: yes
    start: middle
    timezone: Mars/Base
    colour: red
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`sources[0] a b: name "a b"`, `files "relative.log"`, `files "/logs/[.log"`, `sources[1] two: want one of files, stdin, slowlog and rest, found 2`, `name "two" is used twice`,
		`slowlog.address "nowhere"`, `slowlog.user`, `"5" is not a duration`, `rest.url`, `rest.severity "loud"`, `sources[4] none: want one of`, `format "xml": want one of auto, json`,
		`multiline "yes"`, `start "middle"`, `timezone "Mars/Base"`, `field colour not found`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in\n%v", want, err)
		}
	}
}

func TestAnEmptyFileIsAMistake(t *testing.T) {
	for _, text := range []string{"", "sources: []", "sources: [{name: a, stdin: true}]\n---\nx: 1", "a: b"} {
		if _, err := sources.Parse([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	all, err := sources.Parse([]byte("sources:\n- {name: a, files: [/logs/*.log]}\n- {name: s, slowlog: {address: \"redis:6379\"}}\n- {name: r, rest: {url: \"http://ui/api\"}}\n- {name: i, stdin: true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a := all[0]; a.Format != "auto" || a.Lines != "trace" || a.Start != "beginning" || a.Location.String() != "UTC" || len(a.Formats) < 8 {
		t.Errorf("%+v", a)
	}
	for i, want := range []string{"files", "slowlog", "rest", "stdin"} {
		if all[i].Kind() != want {
			t.Errorf("%s is %s", all[i].Name, all[i].Kind())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("sources: [{name: a, files: [/a]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := sources.Parse(text)
		if err == nil && len(all) == 0 {
			t.Error("nothing, and no error")
		}
	})
}

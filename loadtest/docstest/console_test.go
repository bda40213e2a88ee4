package docstest

import (
	"reflect"
	"testing"
)

func TestABlockIsCommandsAndWhatTheyPrint(t *testing.T) {
	page := "text\n```console\n$ echo a\na\n\n$ printf \\\n  '%s' \\\n 'b\\n'\nb\n```\n```yaml\n$ not executed\n```\n```console\n$ true\n```\n"
	got, err := Parse(page)
	want := []Step{{3, "echo a", []string{"a", ""}}, {6, "printf \\\n  '%s' \\\n 'b\\n'", []string{"b"}}, {15, "true", nil}}
	if err != nil || !reflect.DeepEqual(got, Page{Steps: want}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAHereDocumentIsPartOfItsCommand(t *testing.T) {
	got, err := Parse("```console\n$ cat > x <<'END'\n$ no command\nEND\n$ cat x\nroutes: []\n```")
	want := []Step{{2, "cat > x <<'END'\n$ no command\nEND", nil}, {5, "cat x", []string{"routes: []"}}}
	if err != nil || !reflect.DeepEqual(got, Page{Steps: want}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABlockThatIsLeftOutSaysWhy(t *testing.T) {
	got, err := Parse("*Not executed by the tests: needs Docker.*\n\n```console\n$ docker ps\nanything\n```\n```console\n$ true\n```\n")
	want := Page{Steps: []Step{{8, "true", nil}}, Left: []Left{{3, "needs Docker"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABadBlockIsAnError(t *testing.T) {
	for _, page := range []string{
		"```console\n$ a\n", "```console\noutput\n```", "```console\n$ a \\\n```", "```console\n$ a\n```\n```console\nb\n```",
		"```console\n$ cat <<END\n```\n", "```sh\na\n```", "```bash\na\n```",
		"*Not executed by the tests: needs Docker.*\ntext\n```console\n$ docker ps\n```",
	} {
		if steps, err := Parse(page); err == nil {
			t.Errorf("%q: %+v", page, steps)
		}
	}
}

func TestAllThatIsPrintedIsShown(t *testing.T) {
	output := "HTTP/2 200 \nage: 12\ncache-status: flotilla; hit; ttl=288\n\n{\"word\":\"dog\"}\n"
	for _, c := range []struct {
		want  []string
		wrong string
	}{
		{nil, ""},
		{[]string{"HTTP/2 200", "age: …", "cache-status: flotilla; hit;…", `{"word":"dog"}`}, ""},
		{[]string{"…", "cache-status: flotilla; hit;…", "…"}, ""},
		{[]string{"HTTP/2 200", "…", "…dog…"}, ""},
		{[]string{"…"}, ""},
		{[]string{"…", "…dog…", "…"}, ""},
		{[]string{"HTTP/2 200", "…", "age:     12", "…", `{"word":"dog"}`}, ""},
		{[]string{"HTTP/2 200", "cache-status: …", "…"}, `"cache-status: …" does not come where the page has it`},
		{[]string{"…", "cache-status: …", "age: …", "…"}, `"age: …" does not come where the page has it`},
		{[]string{"HTTP/2 200", "age: …"}, `the page does not show "cache-status: flotilla; hit; ttl=288"`},
		{[]string{"…", "age: 1", "…"}, `"age: 1" does not come where the page has it`},
		{[]string{"…", "a.e: 12", "…"}, `"a.e: 12" does not come where the page has it`},
		{[]string{"…", `{"word":"dog"}`, "more"}, `"more" does not come where the page has it`},
	} {
		if got := Check(c.want, output); got != c.wrong {
			t.Errorf("%q: %s, want %s", c.want, got, c.wrong)
		}
	}
}

func TestWhatGoSaysOfItsDownloadsNeedsNotBeShown(t *testing.T) {
	if got := Check([]string{"ok"}, "go: downloading example.com/a v1.0.0\nok\n"); got != "" {
		t.Error(got)
	}
}

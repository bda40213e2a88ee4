package syntax

import (
	"strings"
	"testing"
)

func TestWhatIsBrokenIsNamedByItsLine(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"a.json", `{"a": [1, 2]}`, ""},
		{"a.json", "{\n\"a\": 1,\n}", "json: line 3"},
		{"a.json", "", "json: line 1"},
		{"a.json", "{} {}", "json: line 1"},
		{"a.json", strings.Repeat("[", 1<<20), "json: line 1"},
		{"a.yaml", "a: 1\n---\nb: [2]\n", ""},
		{"a.yml", "a: [1\n", "yaml: line "},
		{"a.yaml", "a: 1\n\tb: 2\n", "yaml: line 2"},
		{"a.yaml", "a: 1\n---\nb: '\n", "yaml: line "},
		{"a.yaml", strings.Repeat("[", 1<<20), "yaml: "},
		{"a.toml", "[a]\nb = 1\n", ""},
		{"a.toml", "[a]\nb = \n", "toml: line 2"},
		{"a.toml", "a = 1\na = 2\n", "toml: "},
		{"a.toml", "a = " + strings.Repeat("[", 1<<20), "toml: line 1"},
		{"a.ini", "; c\n[s]\nk = v\nl: w\n# d\n\nempty =\n", ""},
		{"a.ini", "[s\n", "ini: line 1: want [section]"},
		{"a.ini", "k = v\nnothing\n", "ini: line 2: want key = value"},
		{"a.ini", "= v\n", "ini: line 1"},
		{"a.ini", "k = \x00\n", "ini: line 1"},
		{"a.conf", "{{{", ""},
		{"a", "\x00\xff", ""},
	} {
		err := Auto.Check(c.name, []byte(c.content))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s %.20q: %v, want %q", c.name, c.content, err, c.want)
		}
	}
}

func TestAKindStandsAboveTheName(t *testing.T) {
	var k Kind
	if err := k.UnmarshalText([]byte("json")); err != nil || k.Check("a.yaml", []byte("a: 1")) == nil {
		t.Errorf("%s, %v", k, err)
	}
	if None.Check("a.json", []byte("{")) != nil {
		t.Error("none looks at the content")
	}
	if err := k.UnmarshalText([]byte("xml")); err == nil {
		t.Error("xml is no kind")
	}
}

// A YAML bomb is checked without being expanded.
func TestAliasesAreNotExpanded(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'k'; c++ {
		refs := strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 10), ", ")
		bomb += string(c) + ": &" + string(c) + " [" + refs + "]\n"
	}
	if err := Auto.Check("a.yaml", []byte(bomb)); err != nil {
		t.Error(err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, kind := range []string{"json", "yaml", "toml", "ini"} {
		f.Add(kind, []byte("a = 1\n"))
		f.Add(kind, []byte("{\"a\": [1]}"))
		f.Add(kind, []byte("a: &b [*b]\n---\n"))
	}
	f.Fuzz(func(t *testing.T, kind string, content []byte) {
		if err := Kind(kind).Check("", content); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

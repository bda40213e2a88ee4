package yamlfile

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type even int

func (e *even) UnmarshalYAML(n *yaml.Node) error {
	var v int
	if err := n.Decode(&v); err != nil || v%2 != 0 {
		return Mistake(n, "an even number")
	}
	*e = even(v)
	return nil
}

func TestAllMistakesOfAFileAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                    nil,
		"name: a\ncount: 2\n": nil,
		"nmae: a\ncount: 3\nname: [b]\n---\nname: c\n": {
			"line 1: field nmae not found", `line 2: "3" is not an even number`, "line 3: cannot unmarshal !!seq", "there is more than one YAML document",
		},
	} {
		var file struct {
			Name  string
			Count even
		}
		mistakes, err := Decode([]byte(text), &file)
		if err != nil || len(mistakes) != len(want) {
			t.Errorf("%q: %v, %v", text, mistakes, err)
		}
		got := ""
		if all := errors.Join(mistakes...); all != nil {
			got = all.Error()
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q: %s is missing in %s", text, w, got)
			}
		}
	}
	if mistakes, err := Decode([]byte("a: [b"), &struct{}{}); err == nil || mistakes != nil {
		t.Errorf("a broken text: %v, %v", mistakes, err)
	}
}

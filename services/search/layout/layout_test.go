package layout

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func variables(name string) (string, bool) {
	return map[string]string{"SEARCH_UPSTREAM_A": "10.0.0.1:80/90", "SEARCH_UPSTREAM_EMPTY": "", "SEARCH_UPSTREAM_BAD": "a:99999"}[name], name != "SEARCH_UPSTREAM_NONE"
}

func TestEveryMistakeIsNamed(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  {"want 1 to 256"},
		"shards: 7":                         {"line 1"},
		"shard: [a:1]\nshards: [a:1]":       {"field shard not found"},
		"a: b: c":                           {"layout:"},
		"shards: [a:1]\n---\nshards: [b:1]": {"more than one YAML document"},
		"topic: 'a b'\nplacement: md5\nshards: [a:1, b:99999]":  {`topic: "a b"`, `placement: "md5"`, "shards[1]", "99999"},
		"topic: ..\nshards: [a:1]":                              {`topic: ".."`},
		"shards: ['${HOME}', '${SEARCH_UPSTREAM_NONE}']":        {"shards[0]: only variables that begin with SEARCH_UPSTREAM_", "shards[1]: SEARCH_UPSTREAM_NONE is not set"},
		"shards: ['${SEARCH_UPSTREAM_EMPTY}']":                  {"SEARCH_UPSTREAM_EMPTY is not set"},
		"shards: ['${SEARCH_UPSTREAM_BAD}']":                    {"shards[0]", "99999"},
		"shards: ['']":                                          {"shards[0]"},
		"shards: [" + strings.Repeat("a:1,", MaxShards+1) + "]": {"there are 257"},
		"shards: ['" + strings.Repeat("x", 5000) + "']":         {"…"},
		strings.Repeat("#", MaxFile+1):                          {"more than"},
	} {
		_, err := Parse([]byte(text), variables)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) || len(err.Error()) > 2000 {
				t.Errorf("%.60q: %.300v, want %q", text, err, part)
			}
		}
	}
}

func TestWhatIsNotSaidHasAMeaning(t *testing.T) {
	l, err := Parse([]byte("shards:\n- ${SEARCH_UPSTREAM_A}\n- dns:leaf:8108/9108\n"), variables)
	if err != nil {
		t.Fatal(err)
	}
	if l.Topic != "documents" || l.Placement != Modulo || len(l.Shards) != 2 || l.Shards[0].String() != "10.0.0.1:80/90" || l.Shards[1].String() != "dns:leaf:8108/9108" {
		t.Errorf("%+v", l)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("topic: a\nplacement: jump\nshards: ['${SEARCH_UPSTREAM_A}', a:1]")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse([]byte(text), variables)
		if err == nil && (len(l.Shards) < 1 || len(l.Shards) > MaxShards || l.Topic == "") {
			t.Errorf("%q: %+v", text, l)
		}
	})
}

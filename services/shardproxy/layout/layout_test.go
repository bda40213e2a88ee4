package layout

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t testing.TB, text string) *Placement {
	t.Helper()
	l, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Place()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryMistakeIsNamed(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for text, want := range map[string]string{
		"":                                                      "want 1 to 256",
		"shards: 7":                                             "line 1",
		"keys: uri\nshards: []":                                 "field keys not found",
		"a: b: c":                                               "layout:",
		"shards: []\n---\nshards: []":                           "more than one YAML document",
		"key: nonsense\nshards: [{name: a}]":                    `"nonsense"`,
		"function: md5\nshards: [{name: a}]":                    `"md5" is not one of jump, ketama`,
		"bounded_load: 0.5\nshards: [{name: a}]":                "0.5 is not valid",
		"bounded_load: .nan\nshards: [{name: a}]":               "is not valid",
		"shards: [{name: 'a b', replicas: 'a:1'}]":              `"a b"`,
		"shards: [{name: a}]":                                   "replicas: want host:port",
		"shards: [{name: a, replicas: 'a:99999'}]":              "99999",
		"shards: [{name: a, weight: 1001, replicas: 'a:1'}]":    "weight 1001",
		"shards: [{name: a, state: gone, replicas: 'a:1'}]":     `state "gone"`,
		"shards: [{name: a, state: draining, replicas: 'a:1'}]": "all are draining",
		"shards: [{name: a, replicas: 'a:1'}, {name: a, replicas: 'b:1'}]":                  "there twice",
		"shards: [{name: a, replicas: '${HOME}'}]":                                          "begin with SHARDPROXY_UPSTREAM_",
		"shards: [{name: a, replicas: '${SHARDPROXY_UPSTREAM_A}'}]":                         "SHARDPROXY_UPSTREAM_A is not set",
		"shards: [{name: a, replicas: '" + long + "'}]":                                     "…",
		"shards: [" + strings.Repeat("{name: a, replicas: 'a:1', weight: 1000},", 17) + "]": "add up to 17000",
		"shards: [" + strings.Repeat("{name: a},", 257) + "]":                               "there are 257",
		strings.Repeat("#", MaxFile+1):                                                      "more than",
	} {
		_, err := Parse([]byte(text), func(string) (string, bool) { return "", false })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %.300v, want %q", text, err, want)
		}
		if err != nil && len(err.Error()) > 60_000 {
			t.Errorf("%.60q: an error of %d bytes", text, len(err.Error()))
		}
	}
}

func TestWhatIsNotSaidHasAMeaning(t *testing.T) {
	l, err := Parse([]byte("shards:\n- {name: a, replicas: '${SHARDPROXY_UPSTREAM_A}'}\n- {name: b, replicas: 'b:1/2', weight: 3, state: draining}\n"),
		func(name string) (string, bool) { return "10.0.0.1:80/90", name == "SHARDPROXY_UPSTREAM_A" })
	if err != nil {
		t.Fatal(err)
	}
	if l.Function != "nginx" || l.Key.String() != "uri" || l.Bounded != 0 || l.Shards[0] != (Shard{"a", 1, false, "10.0.0.1:80/90"}) || l.Shards[1] != (Shard{"b", 3, true, "b:1/2"}) {
		t.Errorf("%+v", l)
	}
}

// Two programs that are to agree must agree on the hashes, so they are written here.
func TestTheHashesAreThoseOfTheDocumentation(t *testing.T) {
	if h := Of([]byte("123456789")); h.CRC32 != 0xcbf43926 || h.XXH64 != 0x8cb841db40e6ae83 {
		t.Errorf("%x %x", h.CRC32, h.XXH64)
	}
}

func TestADrainingShardHasNoHomeAndOthersKeepTheirs(t *testing.T) {
	for _, function := range sharding.OrderNames() {
		text := "function: " + function + "\nshards:\n"
		for i := range 5 {
			text += fmt.Sprintf("- {name: s%d, replicas: 'a:1'}\n", i)
		}
		before, after := parse(t, text), parse(t, strings.Replace(text, "name: s2,", "name: s2, state: draining,", 1))
		for i := range 300 {
			h := Of([]byte(fmt.Sprint("/", i)))
			a, b := before.Home(h), after.Home(h)
			if b == 2 || a != 2 && a != b {
				t.Fatalf("%s: key %d goes from %d to %d", function, i, a, b)
			}
			order := before.Order(h)
			if len(order) != 5 || order[0] != a || a == 2 && order[1] != b {
				t.Fatalf("%s: key %d has the order %v, and goes from %d to %d", function, i, order, a, b)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("key: country+path\nfunction: maglev\nbounded_load: 1.25\nshards:\n- {name: a, replicas: 'a:1'}\n- {name: b, weight: 2, state: draining, replicas: '${SHARDPROXY_UPSTREAM_B}'}\n"))
	f.Add([]byte("shards: [{name: \"10.0.0.1:80\", replicas: \"dns:a.b:80/90\"}]"))
	f.Add([]byte("shards: &x [*x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text, nil)
		if err != nil {
			if len(err.Error()) > 1<<20 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		p, err := l.Place()
		if err != nil {
			t.Fatalf("a layout that was taken cannot be placed: %v", err)
		}
		h := Of(text)
		home := p.Home(h)
		if home < 0 || p.Shards[home].Draining || len(p.Order(h)) != len(p.Shards) {
			t.Fatalf("home %d, order %v", home, p.Order(h))
		}
	})
}

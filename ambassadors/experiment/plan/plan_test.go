package plan

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

func parse(t testing.TB, text string) *Plan {
	t.Helper()
	p, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// one returns a plan with experiments of one layer: name, from, percent each.
func one(t testing.TB, entries ...string) *Layer {
	t.Helper()
	text := "experiments:\n"
	for _, e := range entries {
		f := strings.Fields(e)
		text += fmt.Sprintf("- {name: %s, layer: page, upstream: '127.0.0.1:1', from: %s, percent: %s}\n", f[0], f[1], f[2])
	}
	return &parse(t, text).Layers[0]
}

// Anybody can compute a slot: printf 'next\0ann' | sha256sum, the first sixteen digits, modulo 10,000.
func TestTheSlotIsThatOfTheDocumentation(t *testing.T) {
	for _, c := range []struct {
		layer, id string
		want      int
	}{{"next", "ann", 6650}, {"next", "bob", 5883}, {"bold", "ann", 9238}} {
		if got := Slot(c.layer, c.id); got != c.want {
			t.Errorf("%s, %s: %d, want %d", c.layer, c.id, got, c.want)
		}
	}
}

const users = 100_000

// slots of the users on the line of the layer page.
var slots = sync.OnceValue(func() []int {
	list := make([]int, users)
	for i := range list {
		list[i] = Slot("page", fmt.Sprintf("user-%d", i))
	}
	return list
})

func arms(l *Layer) []string {
	list := make([]string, users)
	for i, slot := range slots() {
		list[i] = Production
		if at := l.At(slot); at >= 0 {
			list[i] = l.Experiments[at].Name
		}
	}
	return list
}

func share(list []string, arm string) float64 {
	n := 0
	for _, a := range list {
		if a == arm {
			n++
		}
	}
	return 100 * float64(n) / float64(len(list))
}

func TestTheShareIsWhatTheFileSays(t *testing.T) {
	for _, percent := range []float64{0, 0.01, 10, 33.33, 99.99, 100} {
		got := share(arms(one(t, fmt.Sprintf("next 0 %.2f", percent))), "next")
		if math.Abs(got-percent) > 0.3 || percent == 0 && got != 0 || percent == 100 && got != 100 {
			t.Errorf("%.2f %%: %.3f %%", percent, got)
		}
	}
}

func TestALargerShareOnlyMovesUsersIn(t *testing.T) {
	before, after := arms(one(t, "next 0 10", "bold 50 10")), arms(one(t, "next 0 20", "bold 50 10"))
	moved := 0
	for i := range before {
		switch {
		case before[i] == after[i]:
		case before[i] == Production && after[i] == "next":
			moved++
		default:
			t.Fatalf("user %d went from %s to %s", i, before[i], after[i])
		}
	}
	if got := 100 * float64(moved) / users; math.Abs(got-10) > 0.3 {
		t.Errorf("%.2f %% moved in", got)
	}
}

func TestOtherExperimentsOfALayerDoNotNotice(t *testing.T) {
	before := arms(one(t, "next 0 10", "bold 50 10", "old 80 20"))
	for _, changed := range []*Layer{one(t, "next 0 50", "bold 50 10", "old 80 20"), one(t, "next 0 0", "bold 50 10", "old 80 20"), one(t, "bold 50 10", "old 80 20")} {
		for i, arm := range arms(changed) {
			if was := before[i]; arm != was && (arm == "bold" || was == "bold" || arm == "old" || was == "old") {
				t.Fatalf("user %d went from %s to %s", i, was, arm)
			}
		}
	}
}

func TestLayersAreIndependent(t *testing.T) {
	p := parse(t, "experiments:\n- {name: a, upstream: '127.0.0.1:1', percent: 50}\n- {name: b, upstream: '127.0.0.1:1', percent: 50, path: /v1}\n")
	both := 0
	for i := range users {
		id := fmt.Sprintf("user-%d", i)
		if Slot("a", id) < 5000 && Slot("b", id) < 5000 {
			both++
		}
	}
	if got := 100 * float64(both) / users; math.Abs(got-25) > 0.5 {
		t.Errorf("%.2f %% are in both, want 25", got)
	}
	for path, want := range map[string]string{"/": "a", "/v1": "b", "/v1/x": "b", "/v10": "a", "/v": "a", "/v1/": "b"} {
		if l := p.Layer(path); l == nil || l.Name != want {
			t.Errorf("%s: %+v, want %s", path, l, want)
		}
	}
}

func TestPercentagesAreExact(t *testing.T) {
	for text, want := range map[string]Percent{"0": 0, "0.01": 1, "0.29": 29, "10": 1000, "10.5": 1050, "100.00": 10_000, "'33.33'": 3333} {
		if got := one(t, "next 0 "+text).Experiments[0].Percent; got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"-1", "100.01", "0.001", "1e1", "10%", ".5", "5.", "x", "[1]", "1_0"} {
		if _, err := Parse([]byte("experiments: [{name: a, upstream: '127.0.0.1:1', percent: "+text+"}]"), nil); err == nil || !strings.Contains(err.Error(), "percentage") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	_, err := Parse([]byte(`
experiments:
- {name: Next, percent: 101, upstream: nowhere, sticky: shoe-size, path: v1, timeout: 5}
- {name: a, upstream: '127.0.0.1:1', from: 5}
- {name: b, upstream: '127.0.0.1:1', layer: a, from: 10}
- {name: b, upstream: '${EXPERIMENT_UPSTREAM_NONE}', path: /x, from: 95, budget: {}}
- {name: c, upstream: '${HOME}', path: /x, budget: {p99: 0.5, window: 10ms, min_requests: 0}}
- {name: production, upstream: '127.0.0.1:1', layer: a, path: /y, colour: red}
shadows:
- {name: s, upstream: '127.0.0.1:1', methods: [get, POST], compare: {body: xml, ignore: [a..b]}}
---
more: 1
`), func(string) (string, bool) { return "", false })
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		`"101" is not a percentage`, `name "Next": want a letter`, `upstream address "nowhere"`, `sticky "shoe-size"`, `path "v1"`, `"5" is not a duration`,
		"a has the users from 5.00 to 15.00, and b begins at 10.00: give it a from of 15.00 or more", `name "b" is used twice`,
		"upstream ${EXPERIMENT_UPSTREAM_NONE}: want", "upstream ${HOME}: want", "end above 100.00", "budget: want errors", "p99 0.5", "window 10ms", "min_requests 0",
		"layer b has the path /x too", `name "production" is used twice`, "differ from / and cookie", "colour",
		`methods: "get" is none`, "POST changes what production stores", `body "xml"`, `ignore "a..b"`, "ignore names fields of JSON", "more than one YAML document",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in\n%v", want, err)
		}
	}
}

func TestVariablesOfThePrefixAreReplaced(t *testing.T) {
	lookup := func(name string) (string, bool) { return "file:/endpoints/next", name == "EXPERIMENT_UPSTREAM_NEXT" }
	p, err := Parse([]byte("experiments: [{name: next, upstream: '${EXPERIMENT_UPSTREAM_NEXT}'}]"), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if e := p.Layers[0].Experiments[0]; e.Arm.Upstream != "file:/endpoints/next" || e.Percent != 1000 || e.Timeout != defaultTimeout || !e.Budget.Zero() {
		t.Errorf("%+v", e)
	}
}

func TestAnEmptyFileIsProductionAlone(t *testing.T) {
	if p := parse(t, ""); len(p.Layers) != 0 || p.Layer("/") != nil {
		t.Errorf("%+v", p)
	}
}

func TestShadowsWantSafeMethodsUnlessTheyHaveAStore(t *testing.T) {
	p := parse(t, "shadows:\n- {name: a, upstream: '127.0.0.1:1', path: /v1}\n- {name: b, upstream: '127.0.0.1:1', methods: [POST], own_store: true}\n")
	a, b := &p.Shadows[0], &p.Shadows[1]
	if !a.Wants("GET", "/v1/x") || !a.Wants("HEAD", "/v1") || a.Wants("POST", "/v1") || a.Wants("GET", "/") || !b.Wants("POST", "/x") || b.Wants("GET", "/x") {
		t.Errorf("%+v %+v", a, b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("experiments: [{name: next, percent: 10.5, upstream: '127.0.0.1:1', budget: {errors: 5, p99: 2}}]", "user")
	f.Add("experiments:\n- {name: a, upstream: 'dns:x:1', from: 50, layer: l, sticky: 'header:X-User'}\n- {name: b, upstream: 'file:x', layer: l, sticky: 'header:x-user'}", "")
	f.Add("shadows: [{name: s, percent: 1, upstream: '${EXPERIMENT_UPSTREAM_X}', compare: {body: json, ignore: [a.b]}}]", "x")
	f.Fuzz(func(t *testing.T, text, id string) {
		p, err := Parse([]byte(text), func(string) (string, bool) { return "127.0.0.1:1", true })
		if err != nil {
			return
		}
		for i := range p.Layers {
			l := &p.Layers[i]
			taken := make([]int, Slots)
			for n, e := range l.Experiments {
				if e.Percent < 0 || e.From+e.Percent > Slots {
					t.Fatalf("%+v", e)
				}
				for s := e.From; s < e.From+e.Percent; s++ {
					if taken[s]++; taken[s] > 1 {
						t.Fatalf("slot %d is taken twice in %q", s, text)
					}
					if l.At(int(s)) != n {
						t.Fatalf("slot %d is not that of %s", s, e.Name)
					}
				}
			}
			if s := Slot(l.Name, id); s < 0 || s >= Slots {
				t.Fatalf("slot %d", s)
			}
		}
		for i := range p.Shadows {
			if p.Shadows[i].Percent > Slots || strings.Contains(p.Shadows[i].Methods, " ") {
				t.Fatalf("%+v", p.Shadows[i])
			}
		}
	})
}

package reshard

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
	"github.com/flotilla-dev/flotilla/services/shardproxy/recent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shards(t testing.TB, head string, n int, more ...string) *layout.Placement {
	t.Helper()
	text := head + "shards:\n"
	for i := range n {
		text += fmt.Sprintf("- {name: s%d, replicas: 'a:1'}\n", i)
	}
	l, err := layout.Parse([]byte(text+strings.Join(more, "")), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Place()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The book's question: ten servers become eleven.
func TestTenBecomeEleven(t *testing.T) {
	for function, want := range map[string]struct{ least, most, needless float64 }{
		"modulo": {0.88, 0.93, 0.85}, "ketama": {0.076, 0.106, 0}, "nginx": {0.076, 0.106, 0}, "jump": {0.076, 0.106, 0},
		"rendezvous": {0.076, 0.106, 0}, "maglev": {0.076, 0.12, 0.01},
	} {
		p := Make(shards(t, "function: "+function+"\n", 10), shards(t, "function: "+function+"\n", 11), nil, 1)
		if s := p.Synthetic.MovedShare; s < want.least || s > want.most {
			t.Errorf("%s: %.3f of the keys move", function, s)
		}
		if n := float64(p.Synthetic.Needless) / Synthetic; n > want.needless {
			t.Errorf("%s: %.4f move needlessly", function, n)
		}
		sum := 0
		for _, m := range p.Synthetic.Moves {
			sum += m.Keys
		}
		if sum != p.Synthetic.Moved || len(p.Synthetic.Shares) != 11 {
			t.Errorf("%s: %d listed, %d moved, %d shares", function, sum, p.Synthetic.Moved, len(p.Synthetic.Shares))
		}
	}
}

func TestTheSameLayoutMovesNothing(t *testing.T) {
	p := Make(shards(t, "", 4), shards(t, "", 4), []recent.Key{{Hash: layout.Of([]byte("a")), Requests: 3}}, 8)
	if p.Synthetic.Moved != 0 || p.Recent.Moved != 0 || p.Recent.StandFor != 8 || len(p.Notes) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestDrainingMovesWhatTheShardHas(t *testing.T) {
	before := shards(t, "", 3, "- {name: d, replicas: 'a:1'}\n")
	after := shards(t, "", 3, "- {name: d, state: draining, weight: 1, replicas: 'b:1'}\n")
	p := Make(before, after, nil, 1)
	for _, m := range p.Synthetic.Moves {
		if m.From != "d" {
			t.Errorf("%+v", m)
		}
	}
	all := strings.Join(p.Notes, "\n")
	if p.Synthetic.Needless != 0 || !strings.Contains(all, "shard d drains") || !strings.Contains(all, "shard d: other replicas") || p.To.Draining != 1 {
		t.Errorf("%d needless, %s", p.Synthetic.Needless, all)
	}
}

func TestWhatNumbersCannotSayIsNoted(t *testing.T) {
	a := shards(t, "", 2, "- {name: x, state: draining, replicas: 'a:1'}\n")
	b := shards(t, "key: path\nfunction: jump\nbounded_load: 1.5\n", 1, "- {name: x, weight: 2, replicas: 'a:1'}\n", "- {name: y, replicas: 'a:1'}\n")
	p := Make(a, b, []recent.Key{{}}, 1)
	all := strings.Join(p.Notes, "\n")
	for _, part := range []string{"another way, path in place of uri", "jump in place of nginx", "loads are bounded", "shard s1 leaves", "shard x is active again", "shard x: weight 2 in place of 1", "shard y joins"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not in %s", part, all)
		}
	}
	if p.Recent != nil {
		t.Error("keys that are made in another way were placed")
	}
}

func TestGivenKeysAndRequestsAreCounted(t *testing.T) {
	a, b := shards(t, "", 2), shards(t, "", 3)
	p, err := OfKeys(a, b, func(add func([]byte)) error {
		for i := range 100 {
			add([]byte(fmt.Sprint("/", i)))
		}
		return nil
	})
	if err != nil || p.Given.Keys != 100 || p.Given.Moved == 0 || p.Given.RequestsShare != p.Given.MovedShare {
		t.Errorf("%+v, %v", p, err)
	}
	var text strings.Builder
	if err := p.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"2 shards by nginx of uri", "shard s2 joins", "100000 synthetic keys", "100 given keys", "s0 → s2", "share of s2: 0.0 % → "} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in %s", part, text.String())
		}
	}
	broken := errors.New("broken")
	if _, err := OfKeys(a, b, func(func([]byte)) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	// A key that is asked for often weighs more among the requests.
	var seen []recent.Key
	for i := range 100 {
		k := recent.Key{Hash: layout.Of([]byte(fmt.Sprint("/", i))), Requests: 1}
		if a.Shards[a.Home(k.Hash)].Name == b.Shards[b.Home(k.Hash)].Name {
			k.Requests = 9
		}
		seen = append(seen, k)
	}
	if r := Make(a, b, seen, 1).Recent; r.RequestsShare >= r.MovedShare || r.Moved != p.Given.Moved {
		t.Errorf("%+v", r)
	}
}

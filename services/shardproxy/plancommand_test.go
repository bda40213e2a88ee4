package shardproxy

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/services/shardproxy/reshard"
)

func TestThePlanCommandComparesTwoFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := file("a.yaml", "shards:\n- {name: a, replicas: '${SHARDPROXY_UPSTREAM_A}'}\n")
	b := file("b.yaml", "shards:\n- {name: a, replicas: 'a:1'}\n- {name: b, replicas: 'b:1'}\n")
	keys := file("keys", "/one\n\n/two\n/three\n")
	broken, long := file("broken.yaml", "shards: 1"), file("long", strings.Repeat("x", maxKey+1))
	for name, c := range map[string]struct {
		args  []string
		usage bool
		want  string
	}{
		"no files": {nil, true, "--from"}, "one file": {[]string{"--from", a}, true, "--to"}, "unknown": {[]string{"--form", a}, true, "form"},
		"more": {[]string{"--from", a, "--to", b, "c"}, true, "want"}, "missing": {[]string{"--from", a, "--to", dir + "/none"}, false, "none"},
		"broken": {[]string{"--from", broken, "--to", b}, false, "broken.yaml"}, "no keys": {[]string{"--from", a, "--to", b, "--keys", dir + "/none"}, false, "none"},
		"long key": {[]string{"--from", a, "--to", b, "--keys", long}, false, "line 1 is longer"},
	} {
		var out strings.Builder
		err := planFiles(c.args, &out)
		var usage config.Error
		if err == nil || errors.As(err, &usage) != c.usage || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
	}
	var text, document strings.Builder
	if err := planFiles([]string{"--from", a, "--to", b, "--keys", keys}, &text); err != nil || !strings.Contains(text.String(), "3 given keys") {
		t.Errorf("%v, %s", err, text.String())
	}
	if err := planFiles([]string{"--from", a, "--to", b, "--json"}, &document); err != nil {
		t.Fatal(err)
	}
	var plan reshard.Plan
	if err := json.Unmarshal([]byte(document.String()), &plan); err != nil || plan.To.Shards != 2 || plan.Applied {
		t.Errorf("%+v, %v", plan, err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("/a\n/b\r\n\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		err := eachKey(strings.NewReader(text), func(key []byte) {
			n++
			if len(key) == 0 || strings.ContainsRune(string(key), '\n') {
				t.Errorf("%q is no key", key)
			}
		})
		if err == nil && n > strings.Count(text, "\n")+1 {
			t.Errorf("%d keys of %q", n, text)
		}
	})
}

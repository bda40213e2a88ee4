package policy

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

func TestEveryMistakeIsNamed(t *testing.T) {
	_, err := Parse([]byte(`
defaults: {grace: soon, nonsense: 1}
routes:
  - {name: "a b", prefix: x}
  - {name: one, prefix: /one, pass: true, ttl: 5s, session: "a b"}
  - {name: one, prefix: /one, session: s, accept: [html], max_object: 5}
  - {name: key, prefix: /key, key: {ignore_query: true, query: ["a&b"], headers: ["x y"], cookies: ["="]}}
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"soon"`, "nonsense", `name "a b"`, `prefix "x"`, "pass stores nothing", `session "a b"`, "used twice",
		"session needs pass", `accept "html"`, `"5" is not a size`, "exclude each other", `"a&b"`, `"x y"`, `"="`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
}

func TestRefusedDocuments(t *testing.T) {
	for _, doc := range []string{"routes: [", "routes: []\n---\nroutes: []", "- a", "routes: {a: b}", "unknown: 1", "defaults: {ttl: -5s}", "defaults: {ttl: 5}"} {
		if _, err := Parse([]byte(doc)); err == nil {
			t.Errorf("%q was accepted", doc)
		}
	}
	for _, doc := range []string{"", "routes: []", "defaults: {}", "defaults: {ttl: 0s}"} {
		if _, err := Parse([]byte(doc)); err != nil {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

func TestTheLongestPrefixOfWholeSegmentsWins(t *testing.T) {
	p, err := Parse([]byte("routes: [{name: a, prefix: /v1}, {name: b, prefix: /v1/recent}, {name: c, prefix: /dir/}]"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "default", "/v1": "a", "/v1/x": "a", "/v1x": "default", "/v1/recent": "b",
		"/v1/recent/x": "b", "/v1/recently": "a", "/dir": "default", "/dir/x": "c", "/V1": "default", "": "default", "*": "default"} {
		if got := p.Match(path).Name; got != want {
			t.Errorf("%q: route %s, want %s", path, got, want)
		}
	}
}

func TestTheKeyIsWhatThePolicySays(t *testing.T) {
	p, err := Parse([]byte(`routes:
  - {name: a, prefix: /a, key: {ignore_query: true}}
  - {name: b, prefix: /b, key: {query: [y, x], headers: [X-A], cookies: [c]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Match("/a").Target("/a", "q=1"); got != "/a" {
		t.Errorf("%q", got)
	}
	b := p.Match("/b")
	if got := b.Target("/b", "x=1&z=3&y=2&x=4"); got != "/b?y=2&x=1&x=4" {
		t.Errorf("%q", got)
	}
	if got := b.Parts(rfc9111.Header{{Name: "x-a", Value: "1"}, {Name: "Cookie", Value: "d=1; c=2"}}); got != "1\x002\x00" {
		t.Errorf("%q", got)
	}
}

func TestTheDictionarysPolicy(t *testing.T) {
	content, err := os.ReadFile("dictionary.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	recent, random, word := p.Match("/v1/recent"), p.Match("/v1/random"), p.Match("/dog")
	if !recent.Pass || recent.Session != "__Host-session" || !random.Pass || random.Session != "" || word.Pass || !word.StripCookies {
		t.Errorf("%+v\n%+v\n%+v", recent, random, word)
	}
	if word.Rules.ErrorGrace != time.Hour || word.MaxObject != 1<<20 {
		t.Errorf("%+v", word)
	}
}

func FuzzParse(f *testing.F) {
	content, _ := os.ReadFile("dictionary.yaml")
	f.Add(content)
	f.Add([]byte("routes: [{name: a, prefix: /, key: {query: [a]}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err == nil && p.Match("/some/path") == nil {
			t.Error("no route")
		}
	})
}

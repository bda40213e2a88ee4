package page

import (
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const evil = `<b onclick="x">"'&`

func all(t *testing.T) map[string]string {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	rendered := map[string]string{}
	for name, data := range map[string]*Page{
		"empty":   {Examples: []Link{{Text: "dog", Href: "/?q=dog"}}},
		"problem": {Query: evil, Problem: evil, Column: 3},
		"found": {Query: evil, Operator: "and", Found: true, Total: 1234567, TookMS: 1.5, Missing: "a part", Next: "/?after=x", First: "/?q=x",
			Meant:  &Link{Text: evil, Href: "/?q=y"},
			Facets: []Facet{{Name: evil, Values: []Value{{Name: evil, Count: 7, Href: "/?q=z", On: true}}}},
			Hits: []Hit{{ID: evil, Href: "/v1/documents/a%2Fb", Title: []Piece{{Text: evil, Hit: true}}, Snippet: []Piece{{Text: evil}, {Text: "dog", Hit: true}},
				Labels: []string{evil}, Why: "/v1/explain/a%2Fb?q=x"}}},
	} {
		b, err := p.Render(data)
		if err != nil {
			t.Fatal(err)
		}
		rendered[name] = string(b)
	}
	return rendered
}

// The policy forbids all that is inline, so none may be there.
func TestNothingIsInline(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|<style|\sstyle=|<[^>]*\son[a-z]+=`)
	values := regexp.MustCompile(`"[^"]*"`)
	for name, text := range all(t) {
		if strings.Contains(text, "javascript:") || strings.Contains(text, "://") {
			t.Errorf("%s leads elsewhere: %s", name, text)
		}
		text = values.ReplaceAllString(text, `""`) // what stands in quotes is escaped, as another test shows
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}

func TestWhatUsersAndDocumentsSayIsEscaped(t *testing.T) {
	t.Parallel()
	for name, text := range all(t) {
		if strings.Contains(text, "<b") && !strings.Contains(text, "<body") || strings.Contains(text, "<b ") || strings.Contains(text, "ZgotmplZ") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if text := all(t)["found"]; !strings.Contains(text, "<mark>&lt;b onclick=") || !strings.Contains(text, `href="/v1/documents/a%2Fb"`) {
		t.Errorf("%s", text)
	}
}

func TestThePageCanBeUsedByEverybody(t *testing.T) {
	t.Parallel()
	for name, text := range all(t) {
		for _, want := range []string{`<html lang="en">`, `<label for="q">`, `name="viewport"`, `class="skip"`, `<main id="results" tabindex="-1" aria-busy="false"`, `<p id="said" role="status"></p>`, `role="search"`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
		if n := strings.Count(text, "<h1>"); n != 1 {
			t.Errorf("%s has %d first headings", name, n)
		}
	}
	found := all(t)["found"]
	for _, want := range []string{"1,234,567 documents", "checked", `aria-current="true"`, `rel="next"`, `role="status">a part`, "Did you mean"} {
		if !strings.Contains(found, want) {
			t.Errorf("%s is missing in %s", want, found)
		}
	}
	if problem := all(t)["problem"]; !strings.Contains(problem, `role="alert">At letter 3: `) || !strings.Contains(problem, `aria-invalid="true"`) {
		t.Errorf("%s", problem)
	}
}

func TestEveryAssetThatThePageNamesExists(t *testing.T) {
	t.Parallel()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`"/assets/([^"]+)"`).FindAllStringSubmatch(all(t)["empty"], -1)
	if len(named) != 3 {
		t.Fatalf("%v", named)
	}
	for _, match := range named {
		if a, current, ok := p.Asset(match[1]); !ok || current != "" || a.Type == "" || len(a.Body) == 0 {
			t.Errorf("%s: %v %q", match[1], ok, current)
		}
	}
	if _, current, ok := p.Asset("style.0123456789abcdef.css"); !ok || current != p.Path("style.css") {
		t.Errorf("of another version: %q %v", current, ok)
	}
	for _, name := range []string{"style.css", "none.0123.css", "", ".css", "../page.go"} {
		if _, current, ok := p.Asset(name); ok {
			t.Errorf("%q was found: %s", name, current)
		}
	}
}

func TestAWrongQueryShowsWhere(t *testing.T) {
	t.Parallel()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string]*Page{
		`<h1><mark>(</mark>dog</h1>`:             {Query: "(dog", Column: 1, Problem: "x"},
		`<h1>é <mark>&lt;</mark> b</h1>`:         {Query: "é < b", Column: 3, Problem: "x"},
		`<h1>dog AND</h1>`:                       {Query: "dog AND", Column: 8, Problem: "x"},
		`<h1>cat</h1>`:                           {Query: "cat", Problem: "x"},
		`<h1>Search</h1>`:                        {Problem: "x"},
		`<p>Nothing matches.`:                    {Query: "zzz", Found: true},
		`<h1>0 documents</h1>`:                   {Query: "zzz", Found: true},
		`<a href="/?q=receive">receive</a>?</p>`: {Query: "recieve", Found: true, Meant: &Link{Text: "receive", Href: "/?q=receive"}},
	} {
		b, err := p.Render(data)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	b, err := p.Render(&Page{Query: "recieve", Found: true, Meant: &Link{Text: "receive", Href: "/?q=receive"}})
	if err != nil || strings.Contains(string(b), "Nothing matches") {
		t.Errorf("two pieces of advice: %s", b)
	}
}

// A stranger who comes through the edge gets no further than it: what the edge refuses is no link of the page.
func TestThePageLeadsToNothingThatIsClosedToStrangers(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	open := regexp.MustCompile(`^(#results|/|/\?.*|/assets/.*|/v1/(search|documents/|explain/|openapi\.yaml).*)$`)
	for name, text := range all(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if !open.MatchString(match[1]) {
				t.Errorf("%s leads to %s", name, match[1])
			}
		}
	}
}

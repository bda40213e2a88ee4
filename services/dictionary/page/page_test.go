package page_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/dictionary/page"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pages(t *testing.T) *page.Pages {
	t.Helper()
	p, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t *testing.T, p *page.Pages, name string, data any) string {
	t.Helper()
	b, err := p.Render(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func all(t *testing.T) map[string]string {
	t.Helper()
	p, d := pages(t), wordnettest.Load(t)
	return map[string]string{
		"home":    render(t, p, "home", page.Home{Words: 1234567, Examples: []wordnet.Link{{Word: "TCP/IP", Href: "/tcp%2Fip"}}}),
		"word":    render(t, p, "word", page.Word{Entry: d.Entry(d.Resolve("dog")), Canonical: "/dog"}),
		"form":    render(t, p, "word", page.Word{Entry: d.Entry(d.Resolve("axes")), Canonical: "/axes"}),
		"missing": render(t, p, "missing", page.Missing{Word: `<b>"x"`, Suggestions: d.Near("definately", 3)}),
	}
}

// The policy forbids all that is inline, so none may be there.
func TestNothingIsInline(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for name, text := range all(t) {
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}

func TestPagesCanBeUsedByEverybody(t *testing.T) {
	t.Parallel()
	for name, text := range all(t) {
		for _, want := range []string{`<html lang="en">`, `<label for="q">`, `name="viewport"`, `class="skip"`, `<main id="content"`, `role="search"`, "Princeton University"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
		if n := strings.Count(text, "<h1>"); n != 1 {
			t.Errorf("%s has %d first headings", name, n)
		}
		if strings.Contains(text, "ZgotmplZ") || strings.Contains(text, `href=""`) {
			t.Errorf("%s has a link that was refused: %s", name, text)
		}
	}
}

func TestWhatUsersTypeIsEscaped(t *testing.T) {
	t.Parallel()
	if text := all(t)["missing"]; strings.Contains(text, "<b>") || !strings.Contains(text, "&lt;b&gt;") {
		t.Errorf("%s", text)
	}
}

func TestNumbersAreGrouped(t *testing.T) {
	t.Parallel()
	if text := all(t)["home"]; !strings.Contains(text, "1,234,567 words") || !strings.Contains(text, `href="/tcp%2Fip"`) {
		t.Errorf("%s", text)
	}
}

func TestEveryAssetThatPagesNameExists(t *testing.T) {
	t.Parallel()
	p := pages(t)
	found := regexp.MustCompile(`"/assets/([^"]+)"`).FindAllStringSubmatch(all(t)["home"], -1)
	if len(found) != 3 {
		t.Fatalf("%v", found)
	}
	for _, match := range found {
		a, current, ok := p.Asset(match[1])
		if !ok || current != "" || a.Type == "" {
			t.Fatalf("%s: %+v", match[1], a)
		}
		z, err := gzip.NewReader(bytes.NewReader(a.Packed))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(z); err != nil || !bytes.Equal(unpacked, a.Body) {
			t.Errorf("%s: the packed form differs: %v", match[1], err)
		}
	}
	for _, name := range []string{"style.css", "none.0123.css", "", ".css", "style", "../page.go"} {
		if _, current, ok := p.Asset(name); ok {
			t.Errorf("%q was found: %s", name, current)
		}
	}
}

func BenchmarkRenderDog(b *testing.B) {
	p, err := page.New()
	if err != nil {
		b.Fatal(err)
	}
	d := wordnettest.Load(b)
	data := page.Word{Entry: d.Entry(d.Resolve("dog")), Canonical: "/dog"}
	for b.Loop() {
		if _, err := p.Render("word", data); err != nil {
			b.Fatal(err)
		}
	}
}

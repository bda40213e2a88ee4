package dictionary_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

const asJSON = "application/json"

func TestAWordIsAPageOrJSON(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	resp, body := r.get(t, "/dog", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(body, `<h1>dog</h1>`) || !strings.Contains(body, `href="/canis_familiaris"`) {
		t.Errorf("%d %v %.200s", resp.StatusCode, resp.Header, body)
	}
	for name, want := range map[string]string{"X-Served-By": "dictionary-1", "Vary": "Accept, Accept-Encoding", "Set-Cookie": "", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	for _, path := range []string{"/dog", "/v1/words/dog"} {
		resp, body = r.get(t, path, "Accept", asJSON)
		var entry wordnet.Entry
		if err := json.Unmarshal([]byte(body), &entry); err != nil || resp.Header.Get("Content-Type") != asJSON || entry.Word != "dog" || len(entry.Parts) != 2 {
			t.Errorf("%s: %v %v %.200s", path, err, resp.Header, body)
		}
	}
	resp, _ = r.get(t, "/dog", "Accept", "image/png")
	if resp.StatusCode != 406 || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Vary") == "" {
		t.Errorf("neither is acceptable: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestOtherSpellingsAreRedirectedToTheCanonicalURL(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	for path, want := range map[string]string{
		"/Dog": "/dog", "/DOG?x=1": "/dog?x=1", "/hot%20dog": "/hot_dog", "/Hot+Dog": "/hot_dog", "/caf%C3%A9": "/cafe", "/dog/": "/dog", "/%20dog%20": "/dog",
		"/tcp/ip": "/tcp%2Fip", "/TCP%2FIP": "/tcp%2Fip", "/9/11": "/9%2F11", "/on/off%20switch": "/on%2Foff_switch", "/prime-minister": "/prime_minister", "/Mice": "/mice",
		"/v1/words/Hot%20Dog": "/v1/words/hot_dog", "/v1/words/tcp/ip": "/v1/words/tcp%2Fip",
	} {
		resp, _ := r.get(t, path)
		if resp.StatusCode != 308 || resp.Header.Get("Location") != want {
			t.Errorf("%s: %d %q, want 308 %q", path, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	for _, path := range []string{"/tcp%2Fip", "/tcp%2fip", "/9%2F11", "/hot_dog", "/dogs", "/ran", "/mice", "/%64og", "/dog?x=1", "/on%2Foff_switch", "/assets", "/o'clock"} {
		if resp, _ := r.get(t, path); resp.StatusCode != 200 {
			t.Errorf("%s: %d, want 200", path, resp.StatusCode)
		}
	}
	// A redirect leads to this host, whatever is asked for.
	for _, target := range []string{"//evil.example/dog", "/%2F%2Fevil.example", "/\\evil.example"} {
		if status, answer := r.raw(t, target); status/100 == 3 {
			t.Errorf("%s: %s", target, answer)
		}
	}
}

func TestAnUnknownWordIs404WithGuesses(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	for _, path := range []string{"/definately", "/v1/words/definately"} {
		resp, body := r.get(t, path, "Accept", asJSON)
		if resp.StatusCode != 404 || resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"/definitely"`) || resp.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
	}
	resp, body := r.get(t, "/definately", "Accept", "text/html")
	if resp.StatusCode != 404 || !strings.Contains(body, "Did you mean") || !strings.Contains(body, `href="/definitely"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := r.get(t, "/%3Cscript%3Ealert(1)%3C%2Fscript%3E"); resp.StatusCode != 404 || strings.Contains(body, "<script>alert") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := r.get(t, "/definately", "Accept", "image/png"); resp.StatusCode != 404 {
		t.Errorf("a word that does not exist: %d, want 404 rather than 406", resp.StatusCode)
	}
	for _, path := range []string{"/v1/none", "/v1/", "/assets/none.css", "/assets/a/b"} {
		if resp, _ := r.get(t, path); resp.StatusCode != 404 || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func TestBadWordsAreRefused(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	long := strings.Repeat("a", 129)
	for _, target := range []string{
		"/" + long, "/%ff", "/%c3%28", "/a%00b", "/a%0ab", "/%7f", "/%c2%85", "/..", "/.", "/%2e%2e", "/../etc/passwd", "/a/../dog", "/..%2fdog", "/dog%2f..", "/%20", "/_",
		"/v1/words/" + long, "/v1/words/%ff", "/v1/words/", "/v1/words/..", "/v1/suggest", "/v1/suggest?prefix=%00", "/v1/suggest?prefix=" + long,
		"/v1/suggest?prefix=d&limit=0", "/v1/suggest?prefix=d&limit=51", "/v1/suggest?prefix=d&limit=x", "/?q=%00", "/?q=..",
	} {
		status, answer := r.raw(t, target)
		if status != 400 || !strings.Contains(answer, "application/problem+json") || !strings.Contains(answer, "Cache-Control: no-store") {
			t.Errorf("%s: %s", target, answer)
		}
	}
	// net/http itself refuses these.
	for _, target := range []string{"/%zz", "/%", "/a\x00b"} {
		if status, answer := r.raw(t, target); status != 400 {
			t.Errorf("%q: %s", target, answer)
		}
	}
	if resp, _ := r.do(t, "DELETE", r.data+"/dog", ""); resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") {
		t.Errorf("DELETE: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestValidatorsAreStrongForEachRepresentation(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	tags := map[string]bool{}
	for _, word := range []string{"/dog", "/cat"} {
		for _, accept := range []string{"text/html", asJSON} {
			for _, encoding := range []string{"gzip", "identity"} {
				resp, body := r.get(t, word, "Accept", accept, "Accept-Encoding", encoding)
				tag := resp.Header.Get("ETag")
				if !strings.HasPrefix(tag, `"`) || tags[tag] {
					t.Errorf("%s %s %s: tag %s", word, accept, encoding, tag)
				}
				tags[tag] = true
				if _, again := r.get(t, word, "Accept", accept, "Accept-Encoding", encoding); again != body {
					t.Errorf("%s %s %s: the bytes differ under one tag", word, accept, encoding)
				}
				for _, condition := range []string{tag, `"x", ` + tag, "W/" + tag, "*"} {
					resp, body := r.get(t, word, "Accept", accept, "Accept-Encoding", encoding, "If-None-Match", condition)
					if resp.StatusCode != 304 || body != "" || resp.Header.Get("ETag") != tag || resp.Header.Get("Cache-Control") == "" || resp.Header.Get("Vary") == "" {
						t.Errorf("If-None-Match: %s: %d %v", condition, resp.StatusCode, resp.Header)
					}
				}
			}
		}
	}
	if resp, _ := r.get(t, "/dog", "If-None-Match", `"other"`); resp.StatusCode != 200 {
		t.Errorf("another tag: %d", resp.StatusCode)
	}
}

func TestGzipIsTheSameContent(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	_, plain := r.get(t, "/dog", "Accept-Encoding", "gzip;q=0")
	resp, zipped := r.get(t, "/dog", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(strings.NewReader(zipped))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", err, resp.Header)
	}
	if unpacked, err := io.ReadAll(z); err != nil || string(unpacked) != plain || len(zipped) >= len(plain) {
		t.Errorf("%v: %d bytes of gzip, %d unpacked, %d plain", err, len(zipped), len(unpacked), len(plain))
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	for _, path := range []string{"/", "/dog", "/Dog", "/definately", "/%00", "/v1/words/dog", "/v1/suggest?prefix=do", "/v1/recent", "/v1/openapi.yaml"} {
		get, _ := r.get(t, path)
		head, body := r.do(t, "HEAD", r.data+path, "")
		if head.StatusCode != get.StatusCode || body != "" || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("%s: HEAD %d %q, GET %d", path, head.StatusCode, body, get.StatusCode)
		}
		for _, name := range []string{"ETag", "Vary", "Location"} {
			if head.Header.Get(name) != get.Header.Get(name) {
				t.Errorf("%s: HEAD has %s %q, GET %q", path, name, head.Header.Get(name), get.Header.Get(name))
			}
		}
		if get.StatusCode == 200 && head.ContentLength != get.ContentLength {
			t.Errorf("%s: HEAD says %d bytes, GET %d", path, head.ContentLength, get.ContentLength)
		}
	}
}

func TestFormsLeadToTheirWords(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	_, body := r.get(t, "/mice")
	if !strings.Contains(body, `A form of <a href="/mouse">mouse</a>`) || !strings.Contains(body, "small rodents") {
		t.Errorf("%.1500s", body)
	}
}

func TestTheSearchBoxWorksWithoutScript(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	resp, body := r.get(t, "/")
	if resp.StatusCode != 200 || !strings.Contains(body, "147,306 words") || !strings.Contains(body, `name="q"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for q, want := range map[string]string{"Hot+Dog": "/hot_dog", "tcp%2Fip": "/tcp%2Fip", "zzzz+y": "/zzzz_y", "%2F%2Fevil.example": "/%2F%2Fevil.example"} {
		if resp, _ := r.get(t, "/?q="+q); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("%s: %d %q, want %q", q, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
}

func TestAssetsAreImmutableAndSurviveARollingUpdate(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	_, body := r.get(t, "/")
	for _, kind := range []string{"style", "page", "icon"} {
		_, rest, _ := strings.Cut(body, `"/assets/`+kind)
		name, _, _ := strings.Cut(rest, `"`)
		for _, encoding := range []string{"gzip", "identity"} {
			resp, _ := r.get(t, "/assets/"+kind+name, "Accept-Encoding", encoding)
			if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || (encoding == "gzip") != (resp.Header.Get("Content-Encoding") == "gzip") {
				t.Errorf("%s%s: %d %v", kind, name, resp.StatusCode, resp.Header)
			}
		}
	}
	resp, _ := r.get(t, "/assets/style.0123456789abcdef.css")
	if resp.StatusCode != 302 || resp.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(resp.Header.Get("Location"), "/assets/style.") {
		t.Errorf("the style of another version: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestTheWordsOfTheLoadScriptsAreInTheDictionary(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../loadtest/lib/words.json")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	if err := json.Unmarshal(text, &words); err != nil || len(words) < 100 {
		t.Fatalf("%d words, %v", len(words), err)
	}
	r := ready(t, nil)
	for _, word := range words {
		if resp, _ := r.get(t, "/v1/words/"+word, "Accept", asJSON); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", word, resp.StatusCode)
		}
	}
}

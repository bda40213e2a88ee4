package dictionary

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/dictionary/page"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// maxWord bounds a word, in bytes of UTF-8; the longest lemma has 71.
const maxWord = 128

// maxGuesses bounds "did you mean".
const maxGuesses = 8

// word answers GET /{word}: a page for people, JSON for programs.
func (s *server) word(c echo.Context) error {
	escaped := strings.TrimPrefix(c.Request().URL.EscapedPath(), "/")
	if strings.HasPrefix(escaped, "v1/") || strings.HasPrefix(escaped, "assets/") {
		return echo.ErrNotFound // a slash of the word itself is escaped
	}
	return s.lookUp(c, escaped, "", html, jsonType)
}

// wordJSON answers GET /v1/words/{word}.
func (s *server) wordJSON(c echo.Context) error {
	escaped := strings.TrimPrefix(c.Request().URL.EscapedPath(), "/v1/words/")
	return s.lookUp(c, escaped, "/v1/words", jsonType)
}

// lookUp answers with the word, sends the client to its canonical URL, or says
// that there is no such word.
func (s *server) lookUp(c echo.Context, escaped, base string, offers ...string) error {
	word, err := parseWord(escaped)
	if err != nil {
		s.metrics.lookups.WithLabelValues("invalid").Inc()
		return err
	}
	d, err := s.loaded()
	if err != nil {
		return err
	}
	match := d.Resolve(word)
	if !match.Found() {
		s.metrics.lookups.WithLabelValues("unknown").Inc()
		return s.missing(c, d, word, offers)
	}
	if word != match.Key || strings.Contains(escaped, "/") {
		s.metrics.lookups.WithLabelValues("redirected").Inc()
		return s.redirect(c, base+wordnet.Path(match.Key))
	}
	outcome := "form"
	if match.Lemma {
		outcome = "lemma"
	}
	s.metrics.lookups.WithLabelValues(outcome).Inc()
	return s.found(c, d, match, offers)
}

func (s *server) found(c echo.Context, d *wordnet.Dictionary, match wordnet.Match, offers []string) error {
	kind, err := choose(c, offers...)
	if err != nil {
		return err
	}
	a := answer{kind: kind, tag: "word " + match.Key, cache: s.public, negotiated: len(offers) > 1}
	a.body = func() ([]byte, error) {
		entry := d.Entry(match)
		if kind == html {
			return s.pages.Render("word", page.Word{Entry: entry, Canonical: wordnet.Path(match.Key)})
		}
		return asJSON(entry)()
	}
	return s.send(c, a)
}

// redirect sends a client to the one spelling under which caches keep a word.
func (s *server) redirect(c echo.Context, to string) error {
	if query := c.Request().URL.RawQuery; query != "" {
		to += "?" + query
	}
	c.Response().Header().Set("Cache-Control", s.public)
	return c.Redirect(http.StatusPermanentRedirect, to)
}

// missing answers 404 with what may have been meant. Somebody who takes neither
// form still learns that the word does not exist.
func (s *server) missing(c echo.Context, d *wordnet.Dictionary, word string, offers []string) error {
	guesses := d.Near(word, maxGuesses)
	if kind, err := choose(c, offers...); err == nil && kind == html {
		return s.send(c, answer{status: http.StatusNotFound, kind: html, cache: negative, negotiated: true, body: func() ([]byte, error) {
			return s.pages.Render("missing", page.Missing{Word: word, Suggestions: guesses})
		}})
	}
	if guesses == nil {
		guesses = []wordnet.Suggestion{}
	}
	p := problem.New(http.StatusNotFound, "word-not-found", "the dictionary does not have this word").With("word", word).With("suggestions", guesses)
	return s.send(c, answer{status: http.StatusNotFound, kind: problem.ContentType, cache: negative, negotiated: len(offers) > 1, body: asJSON(p)})
}

// parseWord reads a word from the escaped path of a URL, once unescaped. A slash
// that is not escaped separates nothing here: /tcp/ip is tcp/ip misspelt.
func parseWord(escaped string) (string, error) {
	for segment := range strings.SplitSeq(escaped, "/") {
		// By RFC 3986 these are steps in a path, and somebody between us and the
		// client may yet take them.
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return "", badWord("word-invalid", `"." and ".." are no words`)
		}
	}
	word, err := url.PathUnescape(strings.TrimSuffix(escaped, "/"))
	if err != nil {
		return "", badWord("word-invalid", "the path is not properly escaped")
	}
	return word, checkWord(word)
}

// checkWord refuses what can be no word and would not be good to repeat to
// anybody.
func checkWord(word string) error {
	switch {
	case len(word) > maxWord:
		return badWord("word-too-long", "a word has at most 128 bytes")
	case !utf8.ValidString(word):
		return badWord("word-invalid", "a word is UTF-8")
	case strings.ContainsFunc(word, unicode.IsControl):
		return badWord("word-invalid", "a word has no control characters")
	case wordnet.Fold(word) == "":
		return badWord("word-invalid", "a word has letters")
	}
	for part := range strings.SplitSeq(word, "/") {
		if part == "." || part == ".." {
			return badWord("word-invalid", `"." and ".." are no words`)
		}
	}
	return nil
}

func badWord(name, detail string) error { return problem.New(http.StatusBadRequest, name, detail) }

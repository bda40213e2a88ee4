package dictionary

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// Suggestions is the answer of /v1/suggest.
type Suggestions struct {
	Prefix      string         `json:"prefix"`
	Suggestions []wordnet.Link `json:"suggestions"`
}

const defaultLimit = 10

func (s *server) suggest(c echo.Context) error {
	prefix := c.QueryParam("prefix")
	if err := checkWord(prefix); err != nil {
		return err
	}
	limit := defaultLimit
	if text := c.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > wordnet.MaxSuggestions {
			return problem.New(http.StatusBadRequest, "limit-invalid", "limit is a number from 1 to "+strconv.Itoa(wordnet.MaxSuggestions))
		}
		limit = n
	}
	d, err := s.loaded()
	if err != nil {
		return err
	}
	key := wordnet.Fold(prefix)
	return s.send(c, answer{kind: jsonType, tag: "suggest " + strconv.Itoa(limit) + " " + key, cache: s.public, body: func() ([]byte, error) {
		links := []wordnet.Link{}
		for _, suggestion := range d.Complete(key, limit) {
			links = append(links, suggestion.Link)
		}
		return asJSON(Suggestions{key, links})()
	}})
}

// random answers with a word that is never the same: no cache may keep it, which
// makes it the route on which replicas are seen, and measured, themselves.
func (s *server) random(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", private)
	d, err := s.loaded()
	if err != nil {
		return err
	}
	kind, err := choose(c, jsonType, html)
	if err != nil {
		return err
	}
	match := d.Random(mathrand.IntN(d.Len()))
	if kind == html {
		vary(c.Response().Header(), true)
		return c.Redirect(http.StatusSeeOther, wordnet.Path(match.Key))
	}
	return s.send(c, answer{kind: jsonType, cache: private, negotiated: true, body: asJSON(d.Entry(match))})
}

// Recent is the answer of /v1/recent: the words of a session, the latest first.
type Recent struct {
	Words []wordnet.Link `json:"words"`
}

const (
	sessionCookie = "__Host-session"
	maxLookUp     = 1 << 10 // bytes of a body {"word": …}
)

func (s *server) listRecent(c echo.Context) error {
	words := []string{}
	if id := session(c.Request()); id != "" {
		words = s.lists.Get(id)
	}
	return s.sendRecent(c, words)
}

// addRecent remembers a word. Where a cache stands in front it has chosen the
// session already; alone, the first look-up begins one.
func (s *server) addRecent(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", private)
	word, err := readLookUp(c)
	if err != nil {
		return err
	}
	d, err := s.loaded()
	if err != nil {
		return err
	}
	match := d.Resolve(word)
	if !match.Found() {
		return problem.New(http.StatusNotFound, "word-not-found", "the dictionary does not have this word").With("word", word)
	}
	id := session(c.Request())
	if id == "" {
		id = rand.Text()
		c.SetCookie(&http.Cookie{Name: sessionCookie, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	return s.sendRecent(c, s.lists.Add(id, match.Key))
}

func (s *server) sendRecent(c echo.Context, words []string) error {
	list := Recent{Words: []wordnet.Link{}}
	for _, key := range words {
		list.Words = append(list.Words, wordnet.Link{Word: strings.ReplaceAll(key, "_", " "), Href: wordnet.Path(key)})
	}
	return s.send(c, answer{kind: jsonType, cache: private, body: asJSON(list)})
}

// readLookUp reads {"word": …}. That the type must be JSON keeps forms of other
// sites out: a browser asks before it sends that.
func readLookUp(c echo.Context) (string, error) {
	kind, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil || kind != jsonType {
		return "", echo.ErrUnsupportedMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxLookUp))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return "", echo.ErrStatusRequestEntityTooLarge
	}
	if err != nil {
		return "", problem.New(http.StatusBadRequest, "body-invalid", "the body ended early")
	}
	var lookUp struct {
		Word string `json:"word"`
	}
	if err := json.Unmarshal(body, &lookUp); err != nil {
		return "", problem.New(http.StatusBadRequest, "body-invalid", `want {"word": "…"}`)
	}
	return lookUp.Word, checkWord(lookUp.Word)
}

// session returns the session of a request, or "" when it has none that could be
// ours. An id that is not known here is welcome: its replica may have died.
func session(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || len(cookie.Value) < 16 || len(cookie.Value) > 128 {
		return ""
	}
	for _, c := range []byte(cookie.Value) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return ""
		}
	}
	return cookie.Value
}

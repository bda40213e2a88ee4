package dictionary

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/dictionary/page"
	"github.com/flotilla-dev/flotilla/services/dictionary/recent"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// server answers requests.
type server struct {
	words    *source
	pages    *page.Pages
	lists    *recent.Lists
	metrics  *metrics
	instance string
	public   string // Cache-Control of what everybody may share
}

//go:embed openapi.yaml
var openAPI []byte

// routes adds all routes. Words have no fixed place: whatever is no other route
// is a word, so that /{word} is the URL of the book. Echo routes by the escaped
// path, which keeps tcp%2Fip one segment.
func (s *server) routes(e *echo.Echo, paced echo.MiddlewareFunc) {
	e.Use(s.signed, paced)
	get := func(path string, h echo.HandlerFunc) {
		e.GET(path, h)
		e.HEAD(path, h)
	}
	get("/", s.home)
	get("/v1/words/*", s.wordJSON)
	get("/v1/suggest", s.suggest)
	get("/v1/random", s.random)
	get("/v1/recent", s.listRecent)
	e.POST("/v1/recent", s.addRecent)
	get("/v1/openapi.yaml", s.openAPI)
	get("/assets/:name", s.asset)
	get("/*", s.word)
}

// signed says which replica answers, which makes the load balancing visible.
func (s *server) signed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("X-Served-By", s.instance)
		c.Response().Header().Set("X-Content-Type-Options", "nosniff")
		return next(c)
	}
}

// loaded returns the dictionary, or the problem that it is not there yet. A
// balancer that heeds /readyz sends nothing here meanwhile.
func (s *server) loaded() (*wordnet.Dictionary, error) {
	if d := s.words.get(); d != nil {
		return d, nil
	}
	return nil, problem.New(http.StatusServiceUnavailable, "data-not-loaded", "this replica is still loading its data").Retry(time.Second)
}

// examples lead from the first page into the dictionary.
var examples = []string{"dog", "serendipity", "fleet", "replica", "shard", "TCP/IP", "ice cream", "9/11", "run"}

func (s *server) home(c echo.Context) error {
	d, err := s.loaded()
	if err != nil {
		return err
	}
	if q := c.QueryParam("q"); q != "" { // the search box, without script
		if err := checkWord(q); err != nil {
			return err
		}
		c.Response().Header().Set("Cache-Control", s.public)
		return c.Redirect(http.StatusSeeOther, wordnet.Path(d.Resolve(q).Key))
	}
	home := page.Home{Words: d.Len()}
	for _, word := range examples {
		home.Examples = append(home.Examples, wordnet.Link{Word: word, Href: wordnet.Path(wordnet.Fold(word))})
	}
	return s.send(c, answer{kind: html, tag: "home", cache: s.public, body: func() ([]byte, error) { return s.pages.Render("home", home) }})
}

func (s *server) openAPI(c echo.Context) error {
	return s.send(c, answer{kind: "application/yaml", tag: "openapi", cache: s.public, body: func() ([]byte, error) { return openAPI, nil }})
}

// forever is for what is named by its digest.
const forever = "public, max-age=31536000, immutable"

func (s *server) asset(c echo.Context) error {
	a, current, found := s.pages.Asset(c.Param("name"))
	if !found {
		return echo.ErrNotFound
	}
	if current != "" {
		// During a rolling update the page may come from a replica of the other
		// version: better the style of this one than none. Not to be kept.
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.Redirect(http.StatusFound, current)
	}
	return s.send(c, answer{kind: a.Type, tag: "asset " + a.ETag, cache: forever, packed: a.Packed, body: func() ([]byte, error) { return a.Body, nil }})
}

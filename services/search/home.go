package search

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/page"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// shownFacets are those that the page asks for.
const shownFacets = "pos"

// shownValues is how many values of a facet the page shows.
const shownValues = 12

// home is the page for people. What is wrong with a query is shown on it.
func (s *server) home(c echo.Context) error {
	values := url.Values{}
	for _, name := range []string{"q", "after", "operator"} {
		if text := c.QueryParam(name); text != "" {
			values.Set(name, text)
		}
	}
	p := &page.Page{Query: values.Get("q"), Operator: values.Get("operator")}
	if strings.TrimSpace(p.Query) == "" {
		for _, q := range []string{"dog", `"hot dog"`, "hous* -cat", "recieve~1", "title:fleet", "pos:verb swim", "bank AND river"} {
			p.Examples = append(p.Examples, page.Link{Text: q, Href: href(url.Values{"q": {q}})})
		}
		return s.show(c, http.StatusOK, p)
	}
	asked := maps.Clone(values)
	if s.cfg.Distribution == Documents {
		asked.Set("facets", shownFacets)
	}
	answer, r, err := s.find(c.Request().Context(), asked)
	var wrong *problem.Problem
	if errors.As(err, &wrong) {
		p.Problem = wrong.Detail
		p.Column, _ = wrong.Extra["column"].(int)
		if wrong.RetryAfter > 0 {
			c.Response().Header().Set("Retry-After", wrong.RetryAfterSeconds())
		}
		return s.show(c, wrong.Status, p)
	}
	if err != nil {
		return err
	}
	fill(p, answer, r, values)
	return s.show(c, http.StatusOK, p)
}

func (s *server) show(c echo.Context, status int, p *page.Page) error {
	body, err := s.pages.Render(p)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", page.Policy)
	h.Set("Referrer-Policy", "same-origin")
	return c.HTMLBlob(status, body)
}

// fill shows an answer.
func fill(p *page.Page, answer *Answer, r *request, values url.Values) {
	p.Found, p.Total, p.TookMS = true, answer.Total, answer.TookMS
	for _, h := range answer.Hits {
		hit := page.Hit{ID: h.ID, Href: "/v1/documents/" + url.PathEscape(h.ID), Title: pieces(h.TitlePieces), Snippet: pieces(h.Snippet),
			Why: "/v1/explain/" + url.PathEscape(h.ID) + "?" + with(values, "after", "").Encode()}
		for _, name := range slices.Sorted(maps.Keys(h.Labels)) {
			hit.Labels = append(hit.Labels, h.Labels[name])
		}
		p.Hits = append(p.Hits, hit)
	}
	for _, name := range r.facets {
		f := page.Facet{Name: name}
		for _, value := range ranked(answer.Facets[name])[:min(len(answer.Facets[name]), shownValues)] {
			f.Values = append(f.Values, narrowed(name, value, answer.Facets[name][value], r, values))
		}
		if len(f.Values) > 0 {
			p.Facets = append(p.Facets, f)
		}
	}
	if answer.Suggestion != "" {
		p.Meant = &page.Link{Text: answer.Suggestion, Href: href(with(with(values, "after", ""), "q", answer.Suggestion))}
	}
	if answer.Next != "" {
		p.Next = href(with(values, "after", answer.Next))
	}
	if values.Get("after") != "" {
		p.First = href(with(values, "after", ""))
	}
	if answer.Unconfirmed {
		p.Missing = "Kafka is away: documents may have moved to another layout by now, and newer ones may be missing."
	}
	if h := answer.Harvest; h.Answered < h.Shards {
		p.Missing = fmt.Sprintf("Only %.0f %% of the documents were searched: %d of %d shards did not answer.", 100*h.Documents, h.Shards-h.Answered, h.Shards)
	}
}

func pieces(all []wire.Piece) []page.Piece {
	shown := make([]page.Piece, len(all))
	for i, p := range all {
		shown[i] = page.Piece{Text: p.Text, Hit: p.Hit}
	}
	return shown
}

// narrowed links to the query with a condition more, or, where it has that one, without it.
func narrowed(name, value string, count int, r *request, values url.Values) page.Value {
	label := &query.Node{Kind: query.Label, Field: name, Words: []string{value}}
	condition := label.String()
	v := page.Value{Name: value, Count: count}
	text := strings.TrimSpace(r.text)
	if rest, on := strings.CutSuffix(text, " "+condition); on {
		v.On = true
		v.Href = href(with(with(values, "after", ""), "q", unwrapped(rest)))
		return v
	}
	v.Href = href(with(with(values, "after", ""), "q", wrapped(text)+" "+condition))
	return v
}

// wrapped puts a query into parentheses where a condition would else bind to a part of it.
func wrapped(text string) string {
	if strings.Contains(text, " OR ") {
		return "(" + text + ")"
	}
	return text
}

func unwrapped(text string) string {
	if inner, ok := strings.CutPrefix(text, "("); ok && strings.Count(text, "(") == 1 {
		if inner, ok = strings.CutSuffix(inner, ")"); ok {
			return inner
		}
	}
	return text
}

func with(values url.Values, name, value string) url.Values {
	changed := maps.Clone(values)
	if value == "" {
		delete(changed, name)
	} else {
		changed[name] = []string{value}
	}
	return changed
}

func href(values url.Values) string { return "/?" + values.Encode() }

// asset is the style, the script or the icon of the page.
func (s *server) asset(c echo.Context) error {
	a, current, found := s.pages.Asset(c.Param("name"))
	switch {
	case !found:
		return echo.ErrNotFound
	case current != "":
		return c.Redirect(http.StatusFound, current)
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, a.Type, a.Body)
}

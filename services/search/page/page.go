// Package page holds the page that people search with: its templates, and the style and script that it refers to by digest, so that
// browsers keep those for ever.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"path"
	"strings"
)

//go:embed templates assets
var files embed.FS

// Policy is the Content-Security-Policy of the page: nothing inline, nothing from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Pages are the parsed template and the assets.
type Pages struct {
	search *template.Template
	assets map[string]Asset  // by name with digest
	named  map[string]string // plain name → with digest
}

// An Asset is a file that the page refers to.
type Asset struct {
	Type string
	Body []byte
}

// A Page is what the page shows.
type Page struct {
	Query    string
	Operator string
	Problem  string // instead of results
	Column   int    // where the query is wrong; 0: not known
	Found    bool   // there are results, maybe none
	Total    int64
	TookMS   float64
	Hits     []Hit
	Facets   []Facet
	Meant    *Link // the query as it may have been meant
	Next     string
	First    string // link to the first page, on others
	Missing  string // what is not in the answer; "": nothing
	Examples []Link
}

// Marked is the query with the letter marked at which it is wrong.
func (p *Page) Marked() []Piece {
	letters := []rune(p.Query)
	if p.Column < 1 || p.Column > len(letters) {
		if p.Query == "" {
			return nil
		}
		return []Piece{{Text: p.Query}} // at its end, or nobody knows where
	}
	at := p.Column - 1
	return []Piece{{Text: string(letters[:at])}, {Text: string(letters[at : at+1]), Hit: true}, {Text: string(letters[at+1:])}}
}

// A Hit is a document that was found.
type Hit struct {
	ID      string
	Href    string
	Title   []Piece
	Snippet []Piece
	Labels  []string
	Why     string // link to the explanation
}

// A Piece is a part of a text; Hit says that it is what was looked for.
type Piece struct {
	Text string
	Hit  bool
}

// A Facet is a label with its values.
type Facet struct {
	Name   string
	Values []Value
}

// A Value is one of a facet.
type Value struct {
	Name  string
	Count int
	Href  string // the query with, or without, this value
	On    bool   // the query has it
}

// A Link leads to another query.
type Link struct{ Text, Href string }

// New parses what is embedded.
func New() (*Pages, error) {
	p := &Pages{assets: map[string]Asset{}, named: map[string]string{}}
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		body, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		stamped := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:8]) + ext
		p.assets[stamped], p.named[e.Name()] = Asset{mime.TypeByExtension(ext), body}, stamped
	}
	p.search, err = template.New("search.html").Funcs(template.FuncMap{"asset": p.Path, "number": number}).ParseFS(files, "templates/search.html")
	return p, err
}

// Path is the URL path of an asset of this version.
func (p *Pages) Path(name string) string { return "/assets/" + p.named[name] }

// Asset finds an asset by its stamped name. When the digest is that of another version, whose page a root of that version made, current
// is the path of the same asset in this one.
func (p *Pages) Asset(stamped string) (a Asset, current string, found bool) {
	if a, ok := p.assets[stamped]; ok {
		return a, "", true
	}
	name, _, _ := strings.Cut(stamped, ".")
	name += path.Ext(stamped)
	if _, ok := p.named[name]; ok && stamped != name {
		return Asset{}, p.Path(name), true
	}
	return Asset{}, "", false
}

// Render makes the page.
func (p *Pages) Render(data *Page) ([]byte, error) {
	var b bytes.Buffer
	if err := p.search.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return b.Bytes(), nil
}

// number writes thousands apart: 117,659.
func number(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

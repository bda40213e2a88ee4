// Package page holds the pages that people see: HTML templates, and the style and
// script that they refer to by digest, so that browsers keep those for ever.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

//go:embed templates assets
var files embed.FS

// Policy is the Content-Security-Policy of every page: nothing inline, nothing
// from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Pages are the parsed templates and the assets.
type Pages struct {
	Digest string // changes with whatever can change a page
	pages  map[string]*template.Template
	assets map[string]Asset // by name with digest
	named  map[string]string
}

// Asset is a file that pages refer to.
type Asset struct {
	Type   string
	Body   []byte
	Packed []byte // gzip
	ETag   string // of Body; that of Packed has "-gz" in it
}

// Home is what the first page shows.
type Home struct {
	Words    int // in the dictionary
	Examples []wordnet.Link
}

// Word is what the page of a word shows.
type Word struct {
	wordnet.Entry
	Canonical string // path
}

// Missing is what the page of an unknown word shows.
type Missing struct {
	Word        string
	Suggestions []wordnet.Suggestion
}

// New parses what is embedded.
func New() (*Pages, error) {
	p := &Pages{pages: map[string]*template.Template{}, assets: map[string]Asset{}, named: map[string]string{}}
	all := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%s %d\n%s", name, len(body), body)
		if path.Dir(name) == "assets" {
			return p.addAsset(path.Base(name), body)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.Digest = hex.EncodeToString(all.Sum(nil)[:8])
	for _, name := range []string{"home", "word", "missing"} {
		t := template.New("layout.html").Funcs(template.FuncMap{"asset": p.Path, "relations": relations, "links": links, "number": number, "query": query})
		if p.pages[name], err = t.ParseFS(files, "templates/layout.html", "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Pages) addAsset(name string, body []byte) error {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:8])
	ext := path.Ext(name)
	stamped := strings.TrimSuffix(name, ext) + "." + digest + ext
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	p.assets[stamped] = Asset{Type: mime.TypeByExtension(ext), Body: body, Packed: packed.Bytes(), ETag: digest}
	p.named[name] = stamped
	return nil
}

// Path returns the URL path of an asset of this version.
func (p *Pages) Path(name string) string { return "/assets/" + p.named[name] }

// Asset finds an asset by its stamped name. When the digest is that of another
// version – a replica of the old or the next one made the page – current is the
// path of the same asset in this version.
func (p *Pages) Asset(stamped string) (a Asset, current string, found bool) {
	if a, ok := p.assets[stamped]; ok {
		return a, "", true
	}
	ext := path.Ext(stamped)
	name, _, _ := strings.Cut(stamped, ".")
	if _, ok := p.named[name+ext]; ok && stamped != name+ext {
		return Asset{}, p.Path(name + ext), true
	}
	return Asset{}, "", false
}

// Render makes a page: "home" of a Home, "word" of a Word, "missing" of a Missing.
func (p *Pages) Render(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := p.pages[name].Execute(&b, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// relation is a labelled list of links.
type relation struct {
	Label string
	Links []wordnet.Link
}

// relations are the links of a sense that are not empty.
func relations(s wordnet.Sense) []relation {
	all := []relation{
		{"Synonyms", s.Synonyms}, {"Antonyms", s.Antonyms}, {"More general", s.Hypernyms}, {"More specific", s.Hyponyms},
		{"Part of", s.Holonyms}, {"Parts", s.Meronyms}, {"Similar", s.Similar}, {"Derived", s.Derived}, {"See also", s.SeeAlso},
	}
	some := all[:0]
	for _, r := range all {
		if len(r.Links) > 0 {
			some = append(some, r)
		}
	}
	return some
}

// links lists links. Most of a page is links, and written here they cost a tenth
// of what the template's escaping by context takes.
func links(list []wordnet.Link) template.HTML {
	var b strings.Builder
	for i, l := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`<a href="`)
		template.HTMLEscape(&b, []byte(l.Href))
		b.WriteString(`">`)
		template.HTMLEscape(&b, []byte(l.Word))
		b.WriteString(`</a>`)
	}
	return template.HTML(b.String())
}

// number writes thousands apart: 147,306.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// query fills the search box: with the word that the page is about.
func query(data any) string {
	switch d := data.(type) {
	case Word:
		return d.Word
	case Missing:
		return d.Word
	}
	return ""
}

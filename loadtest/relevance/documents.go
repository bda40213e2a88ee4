package relevance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Document is one that is searched.
type Document struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// The bounds of a document, as a search has them.
const (
	maxTitle = 4 << 10
	maxText  = 64 << 10
)

// EachDocument calls f for each document of a file: JSON lines, as BEIR has them, if its name says so, else documents of TREC.
func EachDocument(name string, f func(Document) error) error {
	parse := parseTRECDocuments
	if plain := strings.TrimSuffix(name, ".gz"); strings.HasSuffix(plain, ".jsonl") || strings.HasSuffix(plain, ".json") {
		parse = parseDocuments
	}
	n := 0
	_, err := readFile(name, func(name string, in io.Reader) (struct{}, error) {
		return struct{}{}, parse(name, in, func(d Document) error { n++; return f(d) })
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: no documents", name)
	}
	return err
}

// parseDocuments reads a JSON object a line, with _id, title and text. What else is in it is metadata.
func parseDocuments(name string, in io.Reader, f func(Document) error) error {
	return eachLine(name, in, func(line string) error {
		if strings.TrimSpace(line) == "" {
			return nil
		}
		var d struct {
			BEIR string `json:"_id"`
			Document
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			return fmt.Errorf(`want {"_id": "…", "title": "…", "text": "…"}: %w`, err)
		}
		if d.BEIR != "" {
			d.ID = d.BEIR
		}
		return checked(d.Document, f)
	})
}

// parseTRECDocuments reads <DOC> with <DOCNO>; the title is that of <TITLE>, <HEADLINE> or <HEAD>, the text that of <TEXT>.
func parseTRECDocuments(name string, in io.Reader, f func(Document) error) error {
	return eachRecord(name, in, "doc", func(r record) error {
		d := Document{ID: r.text("docno"), Text: r.text("text")}
		for _, field := range []string{"title", "headline", "head"} {
			if d.Title == "" {
				d.Title = r.text(field)
			}
		}
		return checked(d, f)
	})
}

func checked(d Document, f func(Document) error) error {
	if err := checkID("document", d.ID); err != nil {
		return err
	}
	if len(d.Title) > maxTitle {
		return fmt.Errorf("title of document %s has %d bytes: want at most %d", d.ID, len(d.Title), maxTitle)
	}
	if len(d.Text) > maxText {
		return fmt.Errorf("text of document %s has %d bytes: want at most %d", d.ID, len(d.Text), maxText)
	}
	if !utf8.ValidString(d.Title) || !utf8.ValidString(d.Text) {
		return errors.New("document " + d.ID + " is not UTF-8")
	}
	return f(d)
}

// Package document is what is searched: its form, and its bounds.
package document

// Document is a text that can be found.
type Document struct {
	ID     string            `json:"id"`
	Title  string            `json:"title"`
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Package document is what is searched: its form, and its bounds.
package document

// Document is a text that can be found.
type Document struct {
	ID     string            `json:"id"`
	Title  string            `json:"title"`
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Bounds of a document, in bytes where nothing else is said.
const (
	LongestID    = 128
	LongestTitle = 4 << 10
	LongestText  = 64 << 10
	MostLabels   = 16 // in number
	LongestName  = 32 // of a label
	LongestValue = 64 // of a label

	// LongestLine is that of a document as JSON: even with every letter escaped there is room for keys that nobody reads.
	LongestLine = 1 << 20
)

// Reserved is how the keys begin in the log that are not those of documents.
const Reserved = "mark:"

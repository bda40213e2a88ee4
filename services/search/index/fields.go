package index

import "github.com/flotilla-dev/flotilla/services/search/query"

// Fields by number. The first is both of the others together.
const (
	anyField = iota
	titleField
	textField
	fieldCount
)

// fields are numbers of documents, by field.
type fields [fieldCount]uint32

// fieldNames are those of queries and of the wire.
var fieldNames = [fieldCount]string{query.AnyField, query.TitleField, query.TextField}

// field is the number of a field. Queries that were checked have no other names.
func field(name string) int {
	switch name {
	case query.TitleField:
		return titleField
	case query.TextField:
		return textField
	default:
		return anyField
	}
}

// in says in which fields something is.
func in(title, text bool) fields {
	var f fields
	if title {
		f[titleField] = 1
	}
	if text {
		f[textField] = 1
	}
	if title || text {
		f[anyField] = 1
	}
	return f
}

func (f fields) plus(g fields) fields {
	for i := range f {
		f[i] += g[i]
	}
	return f
}

func (f fields) minus(g fields) fields {
	for i := range f {
		f[i] -= g[i]
	}
	return f
}

// totals are what scores need to know of all documents.
type totals struct {
	documents int64
	lengths   [fieldCount]int64 // in tokens, of all documents
}

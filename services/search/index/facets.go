package index

import "unique"

// facets counts the labels of documents. It counts sets of labels as they are kept, which many documents share, and takes these
// apart at the end.
type facets struct {
	names []string
	sets  map[unique.Handle[string]]int
}

func newFacets(names []string) *facets {
	return &facets{names: names, sets: make(map[unique.Handle[string]]int)}
}

func (f *facets) count(v *version) {
	if len(f.names) > 0 {
		f.sets[v.labels]++
	}
}

// counted are the documents by label and value; a label that no document has is there, too.
func (f *facets) counted() map[string]map[string]int {
	if len(f.names) == 0 {
		return nil
	}
	counts := make(map[string]map[string]int, len(f.names))
	for _, name := range f.names {
		counts[name] = make(map[string]int)
	}
	for set, documents := range f.sets {
		eachLabel(set.Value(), func(name, value string) {
			if counts[name] != nil {
				counts[name][value] += documents
			}
		})
	}
	return counts
}

package tree

import "strings"

// selection is which paths of a tree are written; empty: all.
type selection []string

// takes tells whether a path is written: it is selected, below something that
// is, or a folder above it.
func (s selection) takes(p string, folder bool) bool {
	if len(s) == 0 {
		return true
	}
	for _, chosen := range s {
		if p == chosen || strings.HasPrefix(p, chosen+"/") || folder && strings.HasPrefix(chosen, p+"/") {
			return true
		}
	}
	return false
}

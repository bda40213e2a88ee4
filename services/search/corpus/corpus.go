// Package corpus makes and names the documents that the fleet searches by default: the glosses of WordNet 3.0, one document for each of its
// sets of synonyms. The file lies beside this one; it is made by cmd/glosses, and WORDNET-LICENSE is its licence, which must go wherever
// the file goes.
package corpus

// What cmd/glosses wrote; a test holds the file to it.
const (
	File      = "wordnet-3.0-glosses.c72f52c8c0def3b2.jsonl.gz"
	SHA256    = "c72f52c8c0def3b23b04a142ac9685ae75aaa2fbdbad04c2bf43d3c5bc5c9ff6" // of the unpacked file
	Documents = 117_659
)

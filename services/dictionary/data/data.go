// Package data names the dictionary's data file, which lies beside this file:
// WordNet 3.0, in the format of package wordnet, compressed. It is made by
// cmd/wordnet-build; manifest.json describes it and WORDNET-LICENSE is its
// licence, which must go wherever the file goes.
package data

// What cmd/wordnet-build wrote; a test holds these equal to manifest.json.
const (
	File   = "wordnet-3.0.a9d012780827e9d9.bin.gz"
	SHA256 = "a9d012780827e9d900dec49923705e2f1959a06525d1b5459a81cf449a09d201" // of the unpacked file
)

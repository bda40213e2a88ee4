// Package build makes the file of package wordnet from the files in which
// Princeton publishes WordNet 3.0 (Debian's wordnet-base installs them): index.*
// and data.* for the words and synsets, *.exc for the irregular forms and
// cntlist.rev for how often each sense was seen in the tagged corpora. Their
// formats are described in wndb(5WN), morphy(7WN) and cntlist(5WN).
//
// The same input gives the same bytes, always.
package build

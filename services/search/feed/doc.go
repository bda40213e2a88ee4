// Package feed brings a corpus into the search: it reads JSON lines from a file or an URL, writes them in batches through a root's API, and
// then a mark, by which it knows when it is started again that the corpus is in. After that it is ready, and idle.
//
// Whatever fails on the way is tried again: a document is written whole under its id, so that writing it twice does no harm. Lines that
// are no documents are named and left out; a corpus of which more than one in a hundred is wrong is the wrong file, and the feed ends
// with an error and without a mark.
package feed

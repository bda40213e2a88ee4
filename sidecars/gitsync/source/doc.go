// Package source is where revisions come from: a git server, whose objects are
// fetched into a store, or a repository on this machine, whose objects are read
// where they are.
//
// The store is a cache. It is started over when an answer cannot be joined to what
// is there (the server's history was rewritten, a fetch was killed half-way), and
// when it has grown old, so that it stays small for ever.
package source

// Package gitserver serves one bare git repository over smart HTTP: clone and fetch
// by anybody, push with a token.
//
// It is small: protocol version 0, shallow clones but no partial ones, whole
// objects instead of deltas on the wire, one push at a time, and nothing is ever
// repacked or removed. It exists so that the
// fleet has something to push to; any git server can stand in its place.
//
//	GET  /site.git/info/refs?service=git-upload-pack | git-receive-pack
//	POST /site.git/git-upload-pack
//	POST /site.git/git-receive-pack
//
// An update of a reference is compared and set, and is refused when objects that
// it leads to are missing, so that a push which breaks off changes nothing that
// anybody sees.
package gitserver

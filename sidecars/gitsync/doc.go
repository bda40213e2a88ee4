// Package gitsync keeps a directory equal to a git repository: the sidecar of a
// simple platform as a service, where a push to a branch is a release.
//
//	<root>/current → .revisions/<hash>    swapped by rename, never written in place
//	<root>/.revisions/<hash>/             the tree of a commit, whole and never changed
//	<root>/.store/                        fetched objects; may be removed at any time
//
// Guarantees: who opens the link once reads one revision, whole; a revision that
// was replaced stays for GITSYNC_KEEP; a process that is killed at any moment
// leaves the link as it was. What a repository contains cannot reach outside of
// its own directory, and what is larger than the bounds is refused, with the
// bound in the reason, while the revision before it stays.
package gitsync

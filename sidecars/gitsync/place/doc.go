// Package place is the directory that readers see: a link to the current revision,
// and the revisions beside it.
//
// Each step that others can see is one rename, so that a process which is killed
// between any two leaves either the state before or the one after: a revision gets
// its name when it is whole, the link is swapped when the revision has its name,
// and a revision loses its name before it is taken apart. What has a name that
// begins with a dot is nobody's, and is removed at the next start.
package place

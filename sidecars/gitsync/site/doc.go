// Package site is the application that gitsync is shown with: a small web server
// for the files of a directory that is replaced as a whole.
//
// It opens the link once per request and reads everything of the answer below what
// it opened, so that a page which is put together of several files is of one
// revision, whatever is swapped meanwhile. A page may include other files of its
// folder:
//
//	<!--#include "header.html" -->
//
// Which revision answered is in X-Revision, and in the entity tag.
package site

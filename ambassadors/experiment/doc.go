// Package experiment is an ambassador that splits requests: a share of the users is served by an experiment,
// always the same ones, and a copy of the traffic goes to a shadow whose answers are compared and thrown away.
//
//	client → experiment → production
//	             ├──────→ experiments: for their users, and production where they fail
//	             └ ─ ─ ─→ shadows: copies, after the user was answered
//
// Who is in which experiment is package plan's; who a user is, package identity's; how a request reaches
// replicas, package arm's; what becomes of copies, package shadow's. This package holds them together: a
// Server has a table made of the file, which is replaced as a whole when the file changes, and each request
// keeps to the table that it began with.
//
// An experiment that breaks its budget is switched off, here and by itself: see judge.
package experiment

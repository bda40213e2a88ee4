// Package dialect says in SQLite's SQL what a statement of MySQL's SQL means.
//
// It is a lexer that knows MySQL's strings, names and comments, and rewrites on
// the tokens: what it does not know goes through as it is, for the two dialects
// agree on most of SELECT, INSERT, UPDATE and DELETE, and SQLite refuses what it
// does not understand. CREATE TABLE is taken apart, because there they agree on
// little.
package dialect

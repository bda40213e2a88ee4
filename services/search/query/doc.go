// Package query is the language in which documents are searched.
package query

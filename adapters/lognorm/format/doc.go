// Package format reads lines of the usual log formats into records.
//
// Each format is one function. It returns false when the line is not of its
// format, and then the record is void. The functions are strict about what
// makes the format recognisable and lenient about the rest, so that the order in
// which detection tries them is the only ambiguity, and the result depends on
// the line alone, never on the lines before it.
//
// Lines must be UTF-8. Records refer to them.
package format

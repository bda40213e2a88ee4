// Package assemble makes records of the bytes of a log: it cuts lines, reads each
// in the first format that knows it, and adds to a record the lines that
// continue it – stack traces of Java and Python, panics of Go, the second line of
// java.util.logging.
//
// It keeps nothing between calls but whether it is inside of a line that was too
// long. A record whose end is not certain yet is not taken: the caller offers
// the same bytes again with more after them, or says that no more will come.
package assemble

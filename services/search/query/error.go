package query

import "fmt"

// Error says what is wrong with a query, and what would be right. Its message may be shown to the one who wrote the query.
type Error struct {
	Column  int // of the letter where it is wrong, from 1; one behind the last letter when something is missing there
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

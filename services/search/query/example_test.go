package query_test

import (
	"fmt"

	"github.com/flotilla-dev/flotilla/services/search/query"
)

// What has no words is a condition for the words beside it; the canonical text says how a query was understood.
func ExampleParse() {
	for _, text := range []string{"hot dogs -cat pos:noun", "state-of-the-art OR recieve~", "title:(hot AND", "ho*se"} {
		n, err := query.Parse(text, query.Options{})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(n)
	}
	// Output:
	// (hot OR dogs) AND NOT cat AND pos:noun
	// "state of the art" OR recieve~2
	// column 12: something is missing after AND: add a word there, or remove it
	// column 3: a * stands at the end of a word, as in hous*; or put this into quotes
}

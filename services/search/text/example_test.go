package text_test

import (
	"fmt"

	"github.com/flotilla-dev/flotilla/services/search/text"
)

// Common words are not indexed, but keep their places.
func ExampleTokens() {
	for _, token := range text.Tokens("The dog's houses of the hill") {
		fmt.Println(token.Position, token.Surface, token.Stem)
	}
	// Output:
	// 1 dog dog
	// 2 houses hous
	// 5 hill hill
}

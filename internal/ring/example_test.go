package ring_test

import (
	"fmt"

	"github.com/flotilla-dev/flotilla/internal/ring"
)

// A fourth replica joins three: about a quarter of the sessions move, all of
// them to the new one.
func Example() {
	three, _ := ring.New(ring.Options{}, ring.Named("r1", "r2", "r3")...)
	four, _ := ring.New(ring.Options{}, ring.Named("r1", "r2", "r3", "r4")...)
	moved, elsewhere := 0, 0
	for i := range 10_000 {
		session := fmt.Sprint("session-", i)
		if was, is := three.Owner(session), four.Owner(session); was != is {
			moved++
			if is != "r4" {
				elsewhere++
			}
		}
	}
	fmt.Printf("moved %d %%, to an old replica %d\n", moved/100, elsewhere)
	// Output: moved 24 %, to an old replica 0
}

// The walk gives the owner and then the stand-ins, in the order on which all
// callers agree.
func ExampleRing_From() {
	r, _ := ring.New(ring.Options{}, ring.Named("r1", "r2", "r3")...)
	names := r.Members()
	walk := r.From("session-42")
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		fmt.Println(names[member])
	}
	// Output:
	// r3
	// r1
	// r2
}

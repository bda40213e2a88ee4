package country_test

import (
	"fmt"
	"net/netip"

	"github.com/flotilla-dev/flotilla/internal/country"
)

func ExampleReadCSV() {
	table, err := country.ReadCSV([]byte("203.0.113.0/24,DE\n203.0.113.64/26,FR\n"))
	if err != nil {
		panic(err)
	}
	for _, addr := range []string{"203.0.113.9", "203.0.113.99", "127.0.0.1"} {
		fmt.Printf("%s %q\n", addr, table.Of(netip.MustParseAddr(addr)))
	}
	// Output:
	// 203.0.113.9 "DE"
	// 203.0.113.99 "FR"
	// 127.0.0.1 ""
}

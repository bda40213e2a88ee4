package limit_test

import (
	"fmt"
	"net/netip"

	"github.com/flotilla-dev/flotilla/services/cache/limit"
)

func ExampleLimiter() {
	limiter, err := limit.New(limit.Options{Limits: limit.Limits{
		{Name: "words", Prefix: "/", Anonymous: &limit.Rate{Rate: 0.1, Burst: 2}},
	}})
	if err != nil {
		panic(err)
	}
	identifier := &limit.Identifier{} // nobody logs in
	who := identifier.Identify(netip.MustParseAddr("192.0.2.9"), "", "")
	for range 3 {
		d := limiter.Decide(who, "/dog")
		fmt.Println(who, d.Allowed)
		d.Fields(nil, func(name string, value []byte) { fmt.Printf("  %s: %s\n", name, value) })
	}
	// Output:
	// 192.0.2.9 true
	//   RateLimit-Policy: "words";q=2;w=20
	//   RateLimit: "words";r=1;t=10
	//   X-RateLimit-Limit: 2
	//   X-RateLimit-Remaining: 1
	//   X-RateLimit-Reset: 10
	// 192.0.2.9 true
	//   RateLimit-Policy: "words";q=2;w=20
	//   RateLimit: "words";r=0;t=20
	//   X-RateLimit-Limit: 2
	//   X-RateLimit-Remaining: 0
	//   X-RateLimit-Reset: 20
	// 192.0.2.9 false
	//   RateLimit-Policy: "words";q=2;w=20
	//   RateLimit: "words";r=0;t=20
	//   X-RateLimit-Limit: 2
	//   X-RateLimit-Remaining: 0
	//   X-RateLimit-Reset: 20
	//   Retry-After: 10
}

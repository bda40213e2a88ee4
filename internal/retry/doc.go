// Package retry decides whether and when a call that went wrong is made again.
// It knows no transport: net/http, fasthttp and raw TCP clients use the same
// budget, delays and rules.
//
// A retry heals a lost replica and hurts an overloaded one. Three things keep
// the second from happening:
//
//   - A Budget, shared by all callers of one upstream: retries may add a share
//     (say 20 %) to the requests and no more. When everything fails, the load on
//     what is left grows by that share instead of by the number of attempts.
//   - Full jitter: each delay is uniformly random between zero and a bound that
//     doubles, so that callers who failed together do not come back together.
//   - Idempotent: only what may happen twice is sent twice.
//
// A request path uses the parts by itself:
//
//	budget.Request()
//	for try := 0; ; try++ {
//		err := call()
//		if err == nil || !retry.Idempotent(method) || try == most || !budget.Retry() {
//			return err
//		}
//		sleep(ctx, backoff.Delay(try))
//	}
//
// A start-up loop (download the data, reach the database) uses Do, which waits
// patiently, honours what the server asks for and ends with the context.
package retry

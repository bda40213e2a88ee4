// Package openloop sends requests at a constant rate, whatever becomes of them.
//
// A closed loop – a client that waits for its answer before it asks again –
// stops asking while the server stands still, and so never measures the
// standstill (Gil Tene's "coordinated omission"). Users do not wait for each
// other. Here request n has an intended start, n ÷ rate after the first; it is
// sent then, on a goroutine of its own, and its latency counts from the intended
// start, even where the generator itself was late.
//
//	client, err := openloop.Target{URL: "https://dictionary.localhost:8443", Address: "127.0.0.1:8443", Roots: pool}.Open()
//	result := openloop.Load{Rate: 500, Duration: 10 * time.Second, Send: client.Getter("/v1/random")}.Run(ctx)
//	fmt.Println(result.Failed, result.Latency.Quantile(0.99), result.ByServer)
//
// A Target speaks HTTP/1.1, HTTP/2 or HTTP/3. net/http silently sends a request
// again when a kept connection dies under it; a Client notices and counts that
// (Result.Resent), because a user's browser may not.
package openloop

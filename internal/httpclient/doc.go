// Package httpclient is the client with which a service calls the API of
// another one. Heavy data planes have transports of their own; everything else
// uses this, so that every call has the same bounds.
//
//	client, err := httpclient.New(httpclient.Options{
//		Name: "dictionary", Pool: pool, Metrics: p.Metrics,
//		TLS: roots.Client("dictionary.internal"),      // package certs
//	})
//	response, err := client.Get("https://dictionary.internal/v1/random")
//
// What a call gets:
//
//   - Bounds: dial, TLS handshake, head of the answer, the whole call with its
//     retries and its body, connections per host, size of the body. Connections of HTTP/2 are pinged when
//     they are silent: one that leads nowhere is not used again.
//   - Its deadline, handed on: X-Request-Timeout carries the milliseconds that
//     are left, see Deadline for the other side. A callee that knows when nobody
//     waits any more does no obsolete work.
//   - Retries, under a retry.Budget and with full jitter, when the body can be
//     sent again and the request is idempotent by its method, or has an
//     Idempotency-Key, or surely was not sent. Repeated are lost connections,
//     time-outs, 502, 503, 504, and 429 with Retry-After. A Retry-After is
//     honoured when the same server is asked again; if the wait does not fit
//     into the deadline, the answer is returned as it is.
//   - A Pool, if there is one, chooses the endpoint of every attempt and hears
//     how it went; its ejection of outliers is the circuit breaker. The host of
//     the URL then is the name of the service: it is sent as Host and is not
//     resolved. For https, TLS must say which ServerName to expect.
//   - W3C trace context and a client span for each attempt, through the global
//     OpenTelemetry API; when no provider is set this costs nothing.
//   - Metrics: http_client_request_duration_seconds per attempt, retries allowed
//     and refused.
//
// The answer's body must be closed, as always. Closing reads a little of what is
// left, so that the connection can be used again. Redirects are not followed:
// an API that moved is an answer. No proxy is used.
package httpclient

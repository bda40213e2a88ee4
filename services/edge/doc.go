// Package edge is the fleet's door: it terminates TLS and passes requests on to
// the services behind it.
//
// It speaks HTTP/1.1, HTTP/2 and HTTP/3 to clients and HTTP/1.1 to upstreams.
// Which host and path goes where is said by a file of routes (package routes),
// with which certificate by TLS_CERT_FILE and EDGE_CERTIFICATES; all of these
// are watched. A second listener answers plain HTTP with redirects.
//
//	TLS_CERT_FILE=edge.crt TLS_KEY_FILE=edge.key \
//	EDGE_ROUTES_FILE=routes.yaml EDGE_UPSTREAM_APP=127.0.0.1:8080 \
//	go run ./cmd/edge
//
// # How it is built
//
// A server accepts connections, seats them (package guard), shakes hands, and
// hands them to a protocol: HTTP/1.1 is read by package h1 in the connection's
// own goroutine; HTTP/2 by net/http's server and HTTP/3 by quic-go, both with
// one lean handler. All three send requests over package hop, which knows the
// replicas, their connections and the retry budget. docs/decisions tells why
// HTTP/1.1 has code of its own.
//
// # What is guaranteed
//
// A request that is ambiguous by RFC 9112 is refused, not repaired. What an
// upstream reads in X-Forwarded-*, X-Real-IP and Forwarded was written here.
// Bodies stream in both directions and are never held as a whole, except
// request bodies up to 16 KiB. Whoever sends or reads too slowly is cut off, and
// when connections run out the slowest are closed first.
package edge

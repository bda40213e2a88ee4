// Package tlsproxy is a sidecar that gives HTTPS to an application which speaks
// plain HTTP on loopback, without a change to it.
//
// It listens on the address of the pod, terminates TLS (HTTP/1.1 and HTTP/2) and
// passes requests on to 127.0.0.1:PROXY_PORT, and never anywhere else:
//
//	PROXY_PORT=8090 CERTIFICATE_PATH=/certificates tlsproxy
//
// A renewed certificate is used from the next handshake on; open connections go
// on. While the application restarts, requests wait for it for a moment and are
// then told 502; nobody has to tell the sidecar when it is back.
//
// One request: observer (log, metrics, span) → gate (methods, number, size) →
// httputil.ReverseProxy → application (the connections on loopback).
package tlsproxy

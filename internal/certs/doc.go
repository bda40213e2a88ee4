// Package certs keeps the certificates of a server and the trusted roots of a
// client equal to files that others renew, and gives the TLS settings that the
// whole fleet uses.
//
// A server:
//
//	store, err := certs.Open(certs.Pair{CertFile: "tls.crt", KeyFile: "tls.key"})
//	go store.Watch(ctx, log)                     // reloads renewed files
//	listener = tls.NewListener(listener, store.Server("h2", "http/1.1"))
//
// A client that trusts an internal CA only:
//
//	roots, err := certs.OpenRoots("ca.crt")      // "" means the system's roots
//	go roots.Watch(ctx, log)
//	transport.TLSClientConfig = roots.Client("dictionary.internal")
//
// Guarantees: a handshake sees one whole pair, never the new certificate with
// the old key; files that do not load leave the pair before them in use; a
// renewal touches no open connection.
//
// The settings are Mozilla's "intermediate" minus what has no forward secrecy
// or no authenticated encryption: TLS 1.2 with six ECDHE+AEAD suites, TLS 1.3,
// and the key agreements X25519MLKEM768, X25519 and P-256.
package certs

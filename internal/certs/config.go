package certs

import (
	"crypto/tls"
	"slices"
)

// suites are the TLS 1.2 suites with forward secrecy and authenticated
// encryption. Go's own list still offers two CBC suites. The order is of no
// effect: crypto/tls prefers AES-GCM or ChaCha20 by the hardware of both sides.
var suites = [...]uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// curves are the key agreements, the one that withstands a quantum computer
// first.
var curves = [...]tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256}

// modern returns the settings that servers and clients share.
func modern(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		CipherSuites:     slices.Clone(suites[:]),
		CurvePreferences: slices.Clone(curves[:]),
		NextProtos:       slices.Clone(protocols),
	}
}

// Server returns the settings of a server with the store's certificates. The
// protocols are offered by ALPN in that order. Session tickets are on, under
// keys of this process that crypto/tls rotates daily; see Tickets for several
// processes behind one address.
func (s *Store) Server(protocols ...string) *tls.Config {
	c := modern(protocols)
	c.GetCertificate = s.Get
	return c
}

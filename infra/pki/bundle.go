package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Bundle is a certificate as it is stored, all fields in PEM, or a random secret.
type Bundle struct {
	Cert     []byte // the certificate
	Key      []byte // its key, PKCS #8
	CA       []byte // the authority that signed it; empty in an authority's bundle
	Internal []byte // the internal CA, which a tier needs to verify the next one; empty in an authority's bundle

	Random []byte // of a secret, which has nothing else
}

// pair is a parsed bundle.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// parse reads a bundle and makes sure that its halves belong together: a crash
// between two renames may leave a key without its certificate.
func (b Bundle) parse() (pair, error) {
	certDER, _ := pem.Decode(b.Cert)
	if certDER == nil || certDER.Type != "CERTIFICATE" {
		return pair{}, errors.New("the certificate is no PEM")
	}
	cert, err := x509.ParseCertificate(certDER.Bytes)
	if err != nil {
		return pair{}, fmt.Errorf("the certificate is broken: %w", err)
	}
	keyDER, _ := pem.Decode(b.Key)
	if keyDER == nil {
		return pair{}, errors.New("the key is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER.Bytes)
	if err != nil {
		return pair{}, fmt.Errorf("the key is broken: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return pair{}, errors.New("the key is not an ECDSA key")
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return pair{}, errors.New("the key does not belong to the certificate")
	}
	return pair{cert, key}, nil
}

// expiring tells that less than a third of the lifetime is left.
func expiring(cert *x509.Certificate, now time.Time) bool {
	return cert.NotAfter.Sub(now) < cert.NotAfter.Sub(cert.NotBefore)/3
}

// flawAuthority says why an authority must be made anew, or "".
func (p pair) flawAuthority(domains []string, now time.Time) string {
	switch {
	case !p.cert.IsCA:
		return "it is no authority"
	case now.Before(p.cert.NotBefore):
		return "it is not valid yet"
	case expiring(p.cert, now):
		return "less than a third of its lifetime is left"
	}
	for _, domain := range domains {
		if !slices.Contains(p.cert.PermittedDNSDomains, domain) {
			return "it may not sign for " + domain
		}
	}
	return ""
}

// flaw says why a certificate must be made anew, or "".
func (p pair) flaw(b Bundle, authority *x509.Certificate, internal []byte, hosts []string, now time.Time) string {
	switch {
	case now.Before(p.cert.NotBefore):
		return "it is not valid yet"
	case expiring(p.cert, now):
		return "less than a third of its lifetime is left"
	case p.cert.CheckSignatureFrom(authority) != nil:
		return "its authority was replaced"
	case !bytes.Equal(b.CA, encodeCert(authority.Raw)) || !bytes.Equal(b.Internal, internal):
		return "the authorities stored beside it were replaced"
	}
	for _, host := range hosts {
		if !names(p.cert, host) {
			return "it does not name " + host
		}
	}
	return ""
}

func names(cert *x509.Certificate, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return slices.ContainsFunc(cert.IPAddresses, ip.Equal)
	}
	return slices.Contains(cert.DNSNames, host)
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

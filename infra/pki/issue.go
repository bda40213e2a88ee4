package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"time"
)

// skew is how far back a certificate is dated, for clocks that are behind.
const skew = 5 * time.Minute

// issueAuthority makes a self-signed authority for the given domains and for
// loopback addresses.
func issueAuthority(title string, domains []string, now time.Time, lifetime time.Duration) (Bundle, error) {
	template := &x509.Certificate{
		// The year and a random serial tell two authorities of one machine apart
		// in the lists of a browser.
		Subject:               pkix.Name{Organization: []string{"Flotilla"}, CommonName: fmt.Sprintf("%s %d", title, now.Year())},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		// What is not permitted here is refused by whoever verifies, RFC 5280
		// section 4.2.1.10. A type of name without a constraint would be free, so
		// mail addresses and URIs are tied to localhost too.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
		PermittedEmailAddresses: []string{"localhost"},
		PermittedURIDomains:     []string{"localhost"},
	}
	return sign(template, nil)
}

// issue makes a server certificate for hosts under an authority. It does not
// outlive the authority.
func issue(name string, hosts []string, authority pair, now time.Time, lifetime time.Duration) (Bundle, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Flotilla"}, CommonName: name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(authority.cert.NotAfter) {
		template.NotAfter = authority.cert.NotAfter
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return sign(template, &authority)
}

// sign makes a key and a certificate for it: by the authority, or by itself.
func sign(template *x509.Certificate, authority *pair) (Bundle, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Bundle{}, fmt.Errorf("make key: %w", err)
	}
	if authority == nil {
		authority = &pair{template, key}
	}
	// With no serial number, CreateCertificate draws a random one.
	der, err := x509.CreateCertificate(rand.Reader, template, authority.cert, &key.PublicKey, authority.key)
	if err != nil {
		return Bundle{}, fmt.Errorf("sign certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Bundle{}, fmt.Errorf("encode key: %w", err)
	}
	b := Bundle{Cert: encodeCert(der), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}
	if template.IsCA {
		return b, nil
	}
	b.CA = encodeCert(authority.cert.Raw)
	return b, nil
}

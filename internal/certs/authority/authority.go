// Package authority makes short-lived certificates for servers on loopback: in
// tests (see certstest), and for the servers that a measurement compares. Those
// of the fleet come from infra/pki.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/certs"
)

// lifetime outlasts every test and every measurement.
const lifetime = 24 * time.Hour

// An Authority certifies servers: ECDSA P-256, for a day. Make it with New.
type Authority struct {
	Dir  string         // where its files are
	File string         // its own certificate
	Pool *x509.CertPool // trusts it alone

	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64 // of the last certificate
}

// New makes an authority that writes its files into dir. Its own certificate is
// ca.crt.
func New(dir string) (*Authority, error) {
	a := &Authority{Dir: dir, File: filepath.Join(dir, "ca.crt"), Pool: x509.NewCertPool()}
	key, der, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority of " + filepath.Base(dir)},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	a.key = key
	a.Pool.AddCert(a.cert)
	return a, write(a.File, "CERTIFICATE", der)
}

// Issue writes a certificate for 127.0.0.1 and the names, as base.crt and
// base.key. The serial numbers of an authority count 1, 2, 3. Files that are
// there already are replaced, each at once.
func (a *Authority) Issue(base string, names ...string) (certs.Pair, error) {
	pair := certs.Pair{CertFile: filepath.Join(a.Dir, base+".crt"), KeyFile: filepath.Join(a.Dir, base+".key")}
	a.serial++
	key, der, err := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: base},
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return pair, fmt.Errorf("issue %s: %w", base, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair, fmt.Errorf("issue %s: %w", base, err)
	}
	if err := write(pair.CertFile, "CERTIFICATE", der); err != nil {
		return pair, err
	}
	return pair, write(pair.KeyFile, "PRIVATE KEY", keyDER)
}

// sign makes a key and its certificate: by the authority, or by itself when the
// authority is the one that is being made.
func (a *Authority) sign(template *x509.Certificate) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(lifetime)
	parent, signer := a.cert, a.key
	if template.IsCA {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return key, der, err
}

// write replaces a file at once: a server that watches it never reads half.
func write(name, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return atomicfile.Write(name, text, 0o600)
}

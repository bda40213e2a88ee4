package redismetrics_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// selfSigned makes a certificate for 127.0.0.1 that is its own authority, and
// returns it with its files.
func selfSigned(t *testing.T) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return pair, write(t, "tls.crt", string(certPEM)), write(t, "tls.key", string(keyPEM))
}

func TestTLSWithACertificateOfEitherSide(t *testing.T) {
	pair, certFile, keyFile := selfSigned(t)
	clients := x509.NewCertPool()
	clients.AddCert(pair.Leaf)
	ln := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	f := serve(t, ln, recorded(t))
	env := map[string]string{"REDISMETRICS_ADDR": "rediss://" + f.addr, "REDISMETRICS_CA_FILE": certFile, "REDISMETRICS_CERT_FILE": certFile, "REDISMETRICS_KEY_FILE": keyFile}
	want(t, scrape(t, start(t, env)+"/metrics"), 1, "redis_up")
	_, otherCA, _ := selfSigned(t)
	env["REDISMETRICS_CA_FILE"] = otherCA
	want(t, scrape(t, start(t, env)+"/metrics"), 0, "redis_up")
	env["REDISMETRICS_CA_FILE"], env["REDISMETRICS_SERVER_NAME"] = certFile, "redis.example"
	want(t, scrape(t, start(t, env)+"/metrics"), 0, "redis_up")
}

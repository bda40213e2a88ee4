package authority_test

import (
	"crypto/tls"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/authority"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAServerIsTrustedUnderItsNamesByItsAuthorityAlone(t *testing.T) {
	ca, other := certstest.New(t), certstest.New(t)
	server := ca.Server("dictionary.localhost", "*.example")
	addr := nettest.Serve(t, func(c net.Conn) { _ = tls.Server(c, server).Handshake() })
	for name, good := range map[string]bool{"dictionary.localhost": true, "a.example": true, "127.0.0.1": true, "localhost": false, "127.0.0.2": false} {
		if err := shake(addr, ca.Client(name)); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := shake(addr, other.Client("dictionary.localhost")); err == nil {
		t.Error("another authority's pool trusts it")
	}
}

func shake(addr string, config *tls.Config) error {
	c, err := tls.Dial("tcp", addr, config)
	if err == nil {
		c.Close()
	}
	return err
}

func TestANewCertificateReplacesTheFilesAndHasTheNextNumber(t *testing.T) {
	ca := certstest.New(t)
	for want := range int64(3) {
		pair := ca.Issue("a", "a.localhost")
		loaded, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded.Leaf.SerialNumber.Int64(); got != want+1 {
			t.Errorf("certificate %d has number %d", want+1, got)
		}
	}
}

func TestADirectoryThatIsNotThereIsAnError(t *testing.T) {
	if _, err := authority.New(t.TempDir() + "/none"); err == nil {
		t.Error("no error")
	}
}

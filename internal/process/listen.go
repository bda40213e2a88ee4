package process

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/certs"
)

// Listen opens a TCP listener on host:port, or takes over the inherited
// descriptor N of fd:N: several processes that inherit one listener share its
// queue of connections, so that the end of one refuses nobody.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if fd, inherited := strings.CutPrefix(addr, "fd:"); inherited {
		return inherit(fd)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

func inherit(fd string) (net.Listener, error) {
	n, err := strconv.Atoi(fd)
	if err != nil || n < 3 {
		return nil, fmt.Errorf("listen on fd:%s: want the number of an inherited descriptor, from 3 on", fd)
	}
	f := os.NewFile(uintptr(n), "listener")
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on fd:%d: %w", n, err)
	}
	return ln, nil
}

// secure puts TLS on the data listener when the contract names a certificate.
func (p *Process) secure(ln net.Listener) (net.Listener, error) {
	if p.contract.TLSCertFile == "" {
		return ln, nil
	}
	store, err := certs.Open(certs.Pair{CertFile: p.contract.TLSCertFile, KeyFile: p.contract.TLSKeyFile})
	if err != nil {
		return nil, err
	}
	p.Go("certificates", func(ctx context.Context) error {
		store.Watch(ctx, p.Log)
		return nil
	})
	return tls.NewListener(ln, store.Server("http/1.1")), nil
}

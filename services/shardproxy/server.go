package shardproxy

import (
	"context"
	"crypto/tls"

	"github.com/flotilla-dev/flotilla/internal/front"
)

// newServer returns what accepts connections and serves them.
func newServer(p *proxy) *front.Server {
	return &front.Server{Guard: p.guard, Log: p.log, Handle: p.handle, Closing: func() { p.closing.Store(true) }}
}

// handle serves a connection to its end.
func (p *proxy) handle(c *front.Seated, secure *tls.Conn) {
	defer c.Close()
	if secure == nil {
		newConn(p, c, nil).serve()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.HeaderTimeout)
	err := secure.HandshakeContext(ctx)
	cancel()
	if err != nil {
		p.log.Debug("handshake failed", "client", c.Addr.String(), "error", err)
		return
	}
	newConn(p, c, secure).serve()
}

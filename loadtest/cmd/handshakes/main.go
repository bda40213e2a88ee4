// Command handshakes makes full TLS 1.3 handshakes as fast as a server answers: X25519,
// no resumption, a new connection each.
//
//	go run ./loadtest/cmd/handshakes -addr 127.0.0.1:8443 -name dictionary.localhost -ca ca.crt -c 32 -d 5s
//
// It prints one line of JSON: {"ops":…,"errors":…,"seconds":…}. A handshake counts when
// the server has proven its key and has closed after our close, so that its part is
// over too. The server's certificate is verified once; afterwards the
// public key of its proof is compared, because a client that checks chains is busier
// than the server that it is meant to load.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type result struct {
	Ops     uint64  `json:"ops"`
	Errors  uint64  `json:"errors"`
	Seconds float64 `json:"seconds"`
	Last    string  `json:"last_error,omitempty"`
}

func main() {
	addr := flag.String("addr", "", "`host:port`")
	name := flag.String("name", "", "server `name`")
	ca := flag.String("ca", "", "authority (PEM `file`)")
	clients := flag.Int("c", 32, "handshakes at a time")
	duration := flag.Duration("d", 5*time.Second, "how long")
	flag.Parse()
	r, err := run(*addr, *name, *ca, *clients, *duration)
	if err != nil {
		fmt.Fprintln(os.Stderr, "handshakes:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
}

func run(addr, name, ca string, clients int, duration time.Duration) (result, error) {
	leaf, err := verified(addr, name, ca)
	if err != nil {
		return result{}, err
	}
	config := &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
		InsecureSkipVerify: true, // the chain was verified once; VerifyConnection pins its leaf
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !s.PeerCertificates[0].Equal(leaf) {
				return errors.New("another certificate")
			}
			return nil
		},
	}
	// No deadline: a dial would fail by it a moment before the context tells that it is over.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(duration, cancel).Stop()
	var ops, failed atomic.Uint64
	var last atomic.Value
	var wg sync.WaitGroup
	begin := time.Now()
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := shake(ctx, addr, config)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					failed.Add(1)
					last.Store(err.Error())
					continue
				}
				ops.Add(1)
			}
		})
	}
	wg.Wait()
	r := result{Ops: ops.Load(), Errors: failed.Load(), Seconds: time.Since(begin).Seconds()}
	r.Last, _ = last.Load().(string)
	return r, nil
}

// verified makes the one handshake that checks the chain.
func verified(addr, name, ca string) (*x509.Certificate, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, RootCAs: pool, MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func shake(ctx context.Context, addr string, config *tls.Config) error {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // thousands of closed connections a second would use up the ports
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	// Some servers send their tickets before they read our Finished, others after it;
	// all of them close when they have read our close, which comes after both.
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	if err := raw.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, raw)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil // closed, politely or by a reset
}

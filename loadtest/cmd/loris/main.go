// Command loris attacks a TLS server by slowness: connections that never finish the
// head of a request, a byte a second, each opened again when the server closes it.
//
//	go run ./loadtest/cmd/loris -addr 127.0.0.1:8443 -name dictionary.localhost -ca ca.crt -n 1000 -from 100
//
// The addresses it comes from are 127.0.1.1 to 127.0.1.<from>. It prints "holding N"
// when nearly all connections were held at once (or when the server has refused that
// for five seconds), runs until it is told to end, and then prints "most N". Loopback
// only: it is there to try one's own defence.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

type attack struct {
	addr, name string
	n, from    int
	config     *tls.Config
	held, most atomic.Int64
}

func main() {
	a := &attack{}
	flag.StringVar(&a.addr, "addr", "", "`host:port` on loopback")
	flag.StringVar(&a.name, "name", "", "server `name`")
	ca := flag.String("ca", "", "authority (PEM `file`)")
	flag.IntVar(&a.n, "n", 1000, "connections")
	flag.IntVar(&a.from, "from", 1, "source addresses, 1 to 254")
	flag.Parse()
	if err := a.prepare(*ca); err != nil {
		fmt.Fprintln(os.Stderr, "loris:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a.run(ctx)
	fmt.Println("most", a.most.Load())
}

func (a *attack) prepare(ca string) error {
	host, _, err := net.SplitHostPort(a.addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not on loopback", a.addr)
	}
	if a.from < 1 || a.from > 254 || a.n < 1 {
		return fmt.Errorf("want 1 to 254 source addresses and at least one connection")
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	a.config = &tls.Config{ServerName: a.name, RootCAs: pool, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	return nil
}

func (a *attack) run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range a.n {
		from := net.IPv4(127, 0, 1, byte(1+i%a.from))
		wg.Go(func() {
			// Spread over two seconds: the attack is to hold connections, not to be
			// a flood of handshakes.
			wait := time.Duration(i) * 2 * time.Second / time.Duration(a.n)
			for retry.Sleep(ctx, wait) == nil {
				a.hold(ctx, from)
				wait = 100 * time.Millisecond
			}
		})
	}
	for range 140 { // seven seconds
		if retry.Sleep(ctx, 50*time.Millisecond) != nil || a.held.Load() >= int64(a.n)*95/100 {
			break
		}
	}
	fmt.Println("holding", a.held.Load())
	wg.Wait()
}

// hold keeps one connection as long as the server bears it.
func (a *attack) hold(ctx context.Context, from net.IP) {
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}, Config: a.config}
	conn, err := d.DialContext(ctx, "tcp", a.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	n := a.held.Add(1)
	defer a.held.Add(-1)
	for most := a.most.Load(); n > most && !a.most.CompareAndSwap(most, n); most = a.most.Load() {
	}
	if _, err := fmt.Fprintf(conn, "GET /1024/slow HTTP/1.1\r\nHost: %s\r\nX-Slow: ", a.name); err != nil {
		return
	}
	for {
		if _, err := conn.Write([]byte("a")); err != nil || retry.Sleep(ctx, time.Second) != nil {
			return
		}
	}
}

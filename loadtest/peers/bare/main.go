// Command bare is the ceiling of an edge made with net/http: a TLS handler that does
// one upstream hop and nothing that an edge is for.
//
// The hop is the cheapest that keeps HTTP right for the answers of the experiment: a
// kept connection, one write, a head with Content-Length, a copied body. No routes,
// no pool, no forwarding fields, no log, no limits, no retries.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// upstream keeps its unused connections.
type upstream struct {
	addr string
	mu   sync.Mutex // guards idle
	idle []*connection
}

type connection struct {
	net.Conn
	r *bufio.Reader
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "`host:port`")
	cert := flag.String("cert", "", "certificate chain (PEM)")
	key := flag.String("key", "", "private key (PEM)")
	addr := flag.String("upstream", "127.0.0.1:8080", "`host:port`")
	flag.Parse()
	u := &upstream{addr: *addr}
	server := &http.Server{Addr: *listen, Handler: u, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := u.take()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if err := c.hop(w, r); err != nil {
		_ = c.Close() // its state is unknown
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	u.put(c)
}

func (u *upstream) take() (*connection, error) {
	u.mu.Lock()
	if n := len(u.idle); n > 0 {
		c := u.idle[n-1]
		u.idle = u.idle[:n-1]
		u.mu.Unlock()
		return c, nil
	}
	u.mu.Unlock()
	conn, err := net.Dial("tcp", u.addr)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

func (u *upstream) put(c *connection) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.idle = append(u.idle, c)
}

var errAnswer = errors.New("no answer that this program understands")

// hop sends the request and passes the answer's Content-Type, length and body on.
func (c *connection) hop(w http.ResponseWriter, r *http.Request) error {
	head := make([]byte, 0, 256)
	head = append(head, "GET "...)
	head = append(head, r.URL.RequestURI()...)
	head = append(head, " HTTP/1.1\r\nHost: "...)
	head = append(head, r.Host...)
	head = append(head, "\r\n\r\n"...)
	if _, err := c.Write(head); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return errAnswer
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
			w.Header()["Content-Length"] = []string{string(value)}
		case bytes.EqualFold(name, []byte("Content-Type")):
			w.Header()["Content-Type"] = []string{string(value)}
		}
	}
	if length < 0 {
		return errAnswer
	}
	_, err = io.CopyN(w, c.r, int64(length))
	return err
}

package openloop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Protocol is a version of HTTP.
type Protocol string

// The protocols that a Target speaks, and no other one in its stead.
const (
	HTTP1 Protocol = "h1"
	HTTP2 Protocol = "h2"
	HTTP3 Protocol = "h3"
)

// Target is a server as a client sees it.
type Target struct {
	URL      string         // scheme, host and port that requests name
	Address  string         // host:port that is dialled; "" for the URL's
	Protocol Protocol       // HTTP1 when empty
	Roots    *x509.CertPool // trusted; nil for the system's
	From     string         // local IP address; "" for any (HTTP/1.1 and HTTP/2)
	Idle     int            // kept HTTP/1.1 connections; 512 when 0
}

// Client sends requests to one target.
type Client struct {
	url       string
	transport http.RoundTripper
	close     func()
}

// Open prepares a client; nothing is dialled yet. Close it.
func (t Target) Open() (*Client, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	tlsConfig := &tls.Config{RootCAs: t.Roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	c := &Client{url: t.URL}
	if t.Protocol == HTTP3 {
		tr := &http3.Transport{TLSClientConfig: tlsConfig, DisableCompression: true, Dial: t.dialQUIC}
		c.transport, c.close = tr, func() { _ = tr.Close() } // connections die with the process at the latest
		return c, nil
	}
	idle := t.Idle
	if idle == 0 {
		idle = 512
	}
	tr := &http.Transport{
		TLSClientConfig: tlsConfig, DialContext: t.dialTCP, DisableCompression: true, Protocols: new(http.Protocols),
		MaxIdleConns: idle, MaxIdleConnsPerHost: idle, IdleConnTimeout: time.Minute,
	}
	switch t.Protocol {
	case HTTP1, "":
		tr.Protocols.SetHTTP1(true)
	case HTTP2:
		tr.Protocols.SetHTTP2(true)
		tr.Protocols.SetUnencryptedHTTP2(u.Scheme == "http")
	default:
		return nil, fmt.Errorf("target: unknown protocol %q, want h1, h2 or h3", t.Protocol)
	}
	c.transport, c.close = tr, tr.CloseIdleConnections
	return c, nil
}

func (t Target) dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	if t.Address != "" {
		addr = t.Address
	}
	var d net.Dialer
	if t.From != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(t.From)}
	}
	return d.DialContext(ctx, network, addr)
}

func (t Target) dialQUIC(ctx context.Context, addr string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
	if t.Address != "" {
		addr = t.Address
	}
	return quic.DialAddr(ctx, addr, tc, qc)
}

// URL is scheme, host and port that requests name.
func (c *Client) URL() string { return c.url }

// Close ends the kept connections.
func (c *Client) Close() { c.close() }

// Getter is a Load's Send that asks for one path again and again.
func (c *Client) Getter(path string) func(context.Context, int) Answer {
	return func(ctx context.Context, _ int) Answer { return c.Get(ctx, path, nil) }
}

// Get asks for a path with more header fields and reads the answer to its end.
func (c *Client) Get(ctx context.Context, path string, header http.Header) Answer {
	req, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		return Answer{Err: err}
	}
	for name, values := range header {
		req.Header[name] = values
		if name == "Host" && len(values) == 1 {
			req.Host = values[0]
		}
	}
	answer, _ := c.Do(ctx, req)
	return answer
}

// Do sends any request to the target and reads the answer to its end. The
// response is nil after an error; its body is closed.
func (c *Client) Do(ctx context.Context, req *http.Request) (Answer, *http.Response) {
	connections := 0
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connections++ }}
	resp, err := c.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return Answer{Err: err, Resent: connections > 1}, nil
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		err = fmt.Errorf("read body: %w", err)
	}
	return Answer{
		Status: resp.StatusCode, ServedBy: resp.Header.Get("X-Served-By"), Cache: resp.Header.Get("Cache-Status"),
		Bytes: n, Resent: connections > 1, Err: err,
	}, resp
}

// Command h3get asks for a page over HTTP/3, and over nothing else.
//
//	go run ./loadtest/cmd/h3get --cacert .flotilla/pki/ca.crt https://dictionary.localhost:8443/dog
//	go run ./loadtest/cmd/h3get -i --connect 127.0.0.1:8443 https://dictionary.localhost/dog
//
// The body goes to standard output; -i puts the head of the answer before it, and
// -v the parameters of the connection on standard error. Names that end with
// .localhost are dialled on loopback, as browsers do. The exit status is 0 for an
// answer below 400, 22 for one from 400 on (as curl --fail), 1 for none, 2 for wrong
// arguments.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	exitNoAnswer = 1
	exitUsage    = 2
	exitStatus   = 22
)

type request struct {
	url, caFile, connect, method string
	head, verbose                bool
	timeout                      time.Duration
	header                       http.Header
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	r, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "h3get:", err)
		}
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	status, err := r.do(ctx, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "h3get:", err)
		return exitNoAnswer
	case status >= http.StatusBadRequest:
		return exitStatus
	}
	return 0
}

func parse(args []string, stderr io.Writer) (request, error) {
	r := request{header: http.Header{}}
	flags := flag.NewFlagSet("h3get", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&r.caFile, "cacert", "", "`file` (PEM) of the authority to trust; the system's when empty")
	flags.StringVar(&r.connect, "connect", "", "`host:port` to dial instead of the URL's")
	flags.StringVar(&r.method, "X", http.MethodGet, "`method`")
	flags.BoolVar(&r.head, "i", false, "print the head of the answer too")
	flags.BoolVar(&r.verbose, "v", false, "tell about the connection")
	flags.DurationVar(&r.timeout, "timeout", 10*time.Second, "for everything")
	flags.Func("H", "`field` \"Name: value\" to send; may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return errors.New(`want "Name: value"`)
		}
		r.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return r, err
	}
	if flags.NArg() != 1 {
		return r, errors.New("want one URL")
	}
	r.url = flags.Arg(0)
	u, err := url.Parse(r.url)
	if err != nil {
		return r, err
	}
	if u.Scheme != "https" || u.Host == "" {
		return r, fmt.Errorf("%s: HTTP/3 needs an https URL", r.url)
	}
	return r, nil
}

func (r request) do(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	roots, err := r.roots()
	if err != nil {
		return 0, err
	}
	transport := &http3.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		Dial: func(ctx context.Context, addr string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
			conn, err := quic.DialAddr(ctx, r.dialled(addr), tc, qc)
			if err == nil && r.verbose {
				state := conn.ConnectionState()
				fmt.Fprintf(stderr, "* QUIC %v to %s, %s, %s, ALPN %s\n", state.Version, conn.RemoteAddr(),
					tls.VersionName(state.TLS.Version), tls.CipherSuiteName(state.TLS.CipherSuite), state.TLS.NegotiatedProtocol)
			}
			return conn, err
		},
	}
	defer transport.Close()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, nil)
	if err != nil {
		return 0, err
	}
	req.Header = r.header
	if host := r.header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if r.head {
		fmt.Fprintf(stdout, "%s %s\n", resp.Proto, resp.Status)
		if err := resp.Header.Write(stdout); err != nil {
			return 0, err
		}
		fmt.Fprintln(stdout)
	}
	if _, err := io.Copy(stdout, resp.Body); err != nil {
		return 0, fmt.Errorf("read body: %w", err)
	}
	return resp.StatusCode, nil
}

func (r request) roots() (*x509.CertPool, error) {
	if r.caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(r.caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it", r.caFile)
	}
	return pool, nil
}

// dialled is where a connection goes: a resolver need not know *.localhost.
func (r request) dialled(addr string) string {
	if r.connect != "" {
		return r.connect
	}
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

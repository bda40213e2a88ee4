package openloop_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

// example.com is a name of httptest's certificate.
const name = "https://example.com"

func handler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Served-By", r.Proto)
	w.Header().Set("Cache-Status", "test; hit")
	_, _ = io.WriteString(w, "hello")
}

func roots(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func TestATargetSpeaksItsProtocolAndNoOther(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(handler))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	quicServer := &http3.Server{Handler: http.HandlerFunc(handler), TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: server.TLS.Certificates})}
	served := make(chan struct{})
	go func() { defer close(served); _ = quicServer.Serve(udp) }()
	defer func() { _ = quicServer.Close(); <-served }()

	addresses := map[openloop.Protocol]string{
		openloop.HTTP1: server.Listener.Addr().String(),
		openloop.HTTP2: server.Listener.Addr().String(),
		openloop.HTTP3: udp.LocalAddr().String(),
	}
	for protocol, want := range map[openloop.Protocol]string{openloop.HTTP1: "HTTP/1.1", openloop.HTTP2: "HTTP/2.0", openloop.HTTP3: "HTTP/3.0"} {
		client, err := openloop.Target{URL: name, Address: addresses[protocol], Protocol: protocol, Roots: roots(server)}.Open()
		if err != nil {
			t.Fatal(err)
		}
		got := client.Get(t.Context(), "/", nil)
		client.Close()
		if got.Err != nil || got.ServedBy != want || got.Bytes != 5 || got.Cache != "test; hit" {
			t.Errorf("%s: %+v", protocol, got)
		}
	}
}

func TestACertificateOfAnotherAuthorityIsAFailure(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(handler))
	defer server.Close()
	server.Config.ErrorLog = nil
	client, err := openloop.Target{URL: name, Address: server.Listener.Addr().String(), Roots: x509.NewCertPool()}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := client.Get(t.Context(), "/", nil); got.Err == nil {
		t.Errorf("trusted: %+v", got)
	}
}

// net/http sends a GET again when a kept connection dies; a generator that hid
// this would call a lost answer a success.
func TestARequestThatTheTransportSentTwiceIsMarked(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		handler(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	defer func() { _ = server.Close(); <-done }()
	client, err := openloop.Target{URL: "http://" + ln.Addr().String()}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if first := client.Get(t.Context(), "/", nil); first.Resent || first.Err != nil {
		t.Fatalf("%+v", first)
	}
	if second := client.Get(t.Context(), "/", nil); !second.Resent || second.Status != 200 {
		t.Errorf("%+v", second)
	}
}

func TestAnUnknownProtocolIsNamed(t *testing.T) {
	if _, err := (openloop.Target{URL: name, Protocol: "spdy"}).Open(); err == nil {
		t.Error("no error")
	}
}

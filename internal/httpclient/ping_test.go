package httpclient_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// numbing is a listener whose connections can be made to say nothing any more, as if the network in between were gone.
type numbing struct {
	net.Listener
	mu   sync.Mutex // guards all below
	open []*numb
}

type numb struct {
	net.Conn
	silent atomic.Bool
}

func (n *numbing) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	one := &numb{Conn: conn}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open = append(n.open, one)
	return one, nil
}

// silence numbs all connections that there are; later ones speak.
func (n *numbing) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.open {
		one.silent.Store(true)
	}
}

func (n *numb) Write(p []byte) (int, error) {
	if n.silent.Load() {
		return len(p), nil
	}
	return n.Conn.Write(p)
}

// With HTTP/2 all calls use one connection. When it leads nowhere each of them would wait for its time-out, for
// a quarter of an hour.
func TestAConnectionThatLeadsNowhereIsNotUsedForEver(t *testing.T) {
	ca := certstest.New(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	listener := &numbing{Listener: server.Listener}
	server.Listener, server.EnableHTTP2, server.TLS = listener, true, ca.Server("localhost")
	server.StartTLS()
	defer server.Close()
	c, err := httpclient.New(httpclient.Options{Name: "callee", Timeout: 300 * time.Millisecond, PingAfter: 100 * time.Millisecond,
		TLS: ca.Client("localhost"), Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	call := func() (string, error) {
		resp, err := c.Get(server.URL)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	answered := func() bool {
		text, err := call()
		if err == nil && text != "HTTP/2.0" {
			t.Fatalf("the server answers %s", text)
		}
		return err == nil
	}
	await.That(t, "a first answer", answered)
	listener.silence()
	await.That(t, "an answer on another connection than the dead one", answered)
}

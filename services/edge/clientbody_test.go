package edge

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// A body that was read to its end may be stopped all the same, because sending
// it failed. The request that follows on the connection must not suffer by that.
func TestABodyStoppedAfterItsEndLeavesTheConnectionUsable(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	cfg := &Config{IdleTimeout: time.Minute, MinRate: 1, MinRateGrace: time.Minute}
	c := &conn{edge: &edge{cfg: cfg}, net: server, reader: h1.NewReader(server, 0)}
	c.setReadDeadline(time.Now().Add(cfg.IdleTimeout)) // as it was idle before
	said := make(chan error, 1)
	go func() {
		_, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
		if err == nil {
			_, err = io.WriteString(client, "abc")
		}
		if err == nil {
			_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		said <- err
	}()
	if err := c.reader.ReadRequest(&c.req, 1<<10); err != nil {
		t.Fatal(err)
	}
	c.body.start(c, 1<<10)
	if c.bodyIsOver() {
		t.Error("a body is over before it was read")
	}
	if b, err := io.ReadAll(&c.body); string(b) != "abc" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	if !c.bodyIsOver() {
		t.Error("a body that was read to its end is not over")
	}
	c.body.Stop()
	if err := c.reader.Wait(c.waitIdle); err != nil {
		t.Fatalf("wait for the next request: %v", err)
	}
	if err := c.reader.ReadRequest(&c.req, 1<<10); err != nil || c.req.HasBody() {
		t.Errorf("the next request: %v", err)
	}
	if err := <-said; err != nil {
		t.Error(err)
	}
}

package front

import (
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A body that was read to its end may be stopped all the same, because sending
// it failed. The request that follows on the connection must not suffer by that.
func TestABodyStoppedAfterItsEndLeavesTheConnectionUsable(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	c := &Conn{Net: server, TCP: server, Limits: &Limits{Idle: time.Minute, Rate: 1, Grace: time.Minute}}
	c.Open()
	c.setReadDeadline(time.Now().Add(c.Limits.Idle)) // as it was idle before
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
	if err := c.reader.ReadRequest(&c.Request, 1<<10); err != nil {
		t.Fatal(err)
	}
	c.body.start(c, 1<<10)
	if c.BodyIsOver() {
		t.Error("a body is over before it was read")
	}
	if b, err := io.ReadAll(&c.body); string(b) != "abc" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	if !c.BodyIsOver() {
		t.Error("a body that was read to its end is not over")
	}
	c.body.Stop()
	if err := c.reader.Wait(c.waitIdle); err != nil {
		t.Fatalf("wait for the next request: %v", err)
	}
	if err := c.reader.ReadRequest(&c.Request, 1<<10); err != nil || c.Request.HasBody() {
		t.Errorf("the next request: %v", err)
	}
	if err := <-said; err != nil {
		t.Error(err)
	}
}

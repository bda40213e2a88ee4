package shadow

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// Mark is the field by which the service behind can tell a copy from the real thing. It carries the shadow's name.
const Mark = "X-Shadow"

// credentials are what a copy does not carry, unless it is told to.
var credentials = [...]string{"Cookie", "Authorization", "Proxy-Authorization"}

// Copy makes the request of a job out of one that went to production: without its body, without the client's
// context and, unless told otherwise, without credentials.
func Copy(r *http.Request, name string, withCredentials bool) *http.Request {
	// Nothing of the client's request but its trace: a proxy hangs hooks on the context that write to the client.
	c := r.Clone(trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(r.Context())))
	c.Body, c.GetBody, c.ContentLength = http.NoBody, nil, 0
	if !withCredentials {
		for _, field := range credentials {
			c.Header.Del(field)
		}
	}
	c.Header.Set(Mark, name)
	return c
}

func withBody(r *http.Request, body []byte) *http.Request {
	if len(body) == 0 {
		return r
	}
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody() // which cannot fail
	return r
}

// Memory bounds the bytes that wait in the queues of all shadows.
type Memory struct{ left atomic.Int64 }

// NewMemory returns one of that many bytes.
func NewMemory(size int64) *Memory {
	m := &Memory{}
	m.left.Store(size)
	return m
}

// Take reserves n bytes, or nothing.
func (m *Memory) Take(n int) bool {
	if m.left.Add(-int64(n)) >= 0 {
		return true
	}
	m.left.Add(int64(n))
	return false
}

// Give returns what Take reserved.
func (m *Memory) Give(n int) { m.left.Add(int64(n)) }

// A Tap keeps what is read through it, up to a limit and while there is memory, and tells when it was all.
type Tap struct {
	io.ReadCloser
	Limit  int
	Memory *Memory
	// Done is called once, when the body was read to its end. The bytes are the callee's to read, for good.
	Done func(body []byte, tooLong bool)

	kept    []byte
	tooLong bool
}

func (t *Tap) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	switch {
	case t.tooLong:
	case len(t.kept)+n > t.Limit || !t.Memory.Take(n):
		t.forget()
		t.tooLong = true
	default:
		t.kept = append(t.kept, p[:n]...)
	}
	if err == io.EOF && t.Done != nil {
		t.Done(t.kept, t.tooLong)
		t.Done = nil
		t.forget() // whoever keeps it is charged for it
	}
	return n, err
}

// Close forgets a body that was not read to its end.
func (t *Tap) Close() error {
	t.forget()
	return t.ReadCloser.Close()
}

func (t *Tap) forget() {
	t.Memory.Give(len(t.kept))
	t.kept = nil
}

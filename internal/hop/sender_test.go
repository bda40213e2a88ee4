package hop

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a body of three bytes. A client that holds the third one back does so
// until the body is stopped.
type source struct {
	held    bool
	begun   bool
	stopped chan struct{}
}

func (s *source) Read(p []byte) (int, error) {
	if !s.held {
		return copy(p, "abc"), io.EOF
	}
	if s.begun {
		<-s.stopped
		return 0, net.ErrClosed
	}
	s.begun = true
	return copy(p, "ab"), nil
}

func (s *source) Trailers() []h1.Field { return nil }
func (s *source) Stop()                { close(s.stopped) }

// The replica answers when it has two of the three bytes.
func TestAConnectionIsKeptWhenTheWholeRequestLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		held bool          // by the client
		late time.Duration // when the replica takes the third byte
		kept bool
		took time.Duration
	}{
		"the last piece leaves after the answer": {late: lastStep / 2, kept: true, took: lastStep / 2},
		"the last piece does not leave":          {late: time.Hour, took: lastStep},
		"the body does not end":                  {held: true, late: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				r := &replica{options: &Options{Idle: 2 * time.Hour, MaxIdle: 1, HeadLimit: 1 << 10}}
				body := &source{held: c.held, stopped: make(chan struct{})}
				x := &Exchange{Body: body, replica: r, endpoint: &upstream.Endpoint{}, conn: &conn{Conn: near, reader: h1.NewReader(near, 0)}}
				over := make(chan struct{})
				go func() {
					defer close(over)
					_, _ = io.ReadFull(far, make([]byte, 2))
					_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					time.Sleep(c.late)
					_, _ = io.ReadFull(far, make([]byte, 1))
				}()
				x.startSender()
				if err := x.head(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				if err := x.final(); err != nil {
					t.Fatal(err)
				}
				answered := time.Now()
				x.Finish()
				if took := time.Since(answered); took != c.took {
					t.Errorf("it took %s to finish, want %s", took, c.took)
				}
				if kept := r.take() != nil; kept != c.kept {
					t.Errorf("kept: %v, want %v", kept, c.kept)
				}
				near.Close()
				<-over
			})
		})
	}
}

package supervise

import (
	"context"
	"net"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

func TestAPingIsBelievedOnlyWhenItIsTheRightAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer, pong string
		ready        bool
	}{
		{"+PONG\r\n", "^[+]", true},
		{"-LOADING Redis is loading + 3 MB\r\n", "^[+]", false},
		{"VERSION 1.6\r\n", "^VERSION ", true},
		{"HTTP/1.0 503 not yet\r\n", "^HTTP/1.0 200", false},
		{"\x5e\x00\x00\x00\n11.4", "(?s)^.\x00\x00\x00\n", true},
		{"\x45\x00\x00\x00\xffToo many connections\n", "(?s)^.\x00\x00\x00\n", false},
		{"+PONG", "^[+]", false}, // it hung up in the middle
	} {
		addr := nettest.Serve(t, func(conn net.Conn) {
			buf := make([]byte, 64)
			_, _ = conn.Read(buf)
			_, _ = conn.Write([]byte(c.answer))
		})
		if err := Ping(addr, "PING\r\n", c.pong)(context.Background()); (err == nil) != c.ready {
			t.Errorf("%q for %q: %v", c.answer, c.pong, err)
		}
	}
	if err := Ping(nettest.Refuse(t), "PING\r\n", "^[+]")(context.Background()); err == nil {
		t.Error("nobody is there, and it is ready")
	}
}

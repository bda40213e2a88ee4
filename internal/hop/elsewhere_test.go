package hop

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Whoever has another upstream to ask must know whether this one may have seen the request.
func TestAFailureTellsWhetherTheRequestMayGoElsewhere(t *testing.T) {
	breaks := nettest.Serve(t, func(c net.Conn) { nettest.ReadHead(c); _, _ = io.WriteString(c, "nonsense\r\n\r\n") })
	for name, c := range map[string]struct {
		address           string
		replay            bool
		unsent, elsewhere bool
	}{
		"refused":                 {nettest.Refuse(t), false, true, true},
		"broken":                  {breaks, false, false, false},
		"broken, may be twice":    {breaks, true, false, true},
		"nobody is usable":        {"file:/nowhere/endpoints", false, true, true},
		"refused, may be twice":   {nettest.Refuse(t), true, true, true},
		"nobody, and be it twice": {"file:/nowhere/endpoints", true, true, true},
	} {
		address, err := upstream.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		u, err := New(Options{Name: "app", Address: address, Retry: retry.Limits{RetryAttempts: 1}, Connect: patience, KeepAlive: time.Minute, Idle: patience, HeadLimit: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		x := Exchange{Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), Replay: c.replay, Timeout: patience}
		err = u.Do(&x)
		if err == nil {
			t.Fatalf("%s: it was answered", name)
		}
		if Unsent(err) != c.unsent || x.Elsewhere(err) != c.elsewhere {
			t.Errorf("%s: unsent %v, elsewhere %v: %v", name, Unsent(err), x.Elsewhere(err), err)
		}
	}
}

package realserver

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a test that is skipped or fails, and is stopped by that.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, _ ...any) { r.said = "failed: " + format; panic(r) }
func (r *recorder) Skipf(format string, _ ...any)  { r.said = "skipped: " + format; panic(r) }

// said is what a test comes to that needs a program.
func said(t *testing.T, needs func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() { _ = recover() }()
		needs(r)
	}()
	return r.said
}

func TestWhatIsMissingIsSkippedOrFails(t *testing.T) {
	missing := func(t testing.TB) { Find(t, "no-such-server", "nothing is known") }
	t.Setenv("REAL_SERVERS", "")
	if got := said(t, missing); !strings.HasPrefix(got, "skipped: SKIPPED:") {
		t.Errorf("a missing server: %q", got)
	}
	t.Setenv("REAL_SERVERS", "required")
	if got := said(t, missing); !strings.HasPrefix(got, "failed:") {
		t.Errorf("a missing server that is required: %q", got)
	}
	if got := said(t, func(t testing.TB) { Find(t, "sh", "") }); got != "" {
		t.Errorf("a shell: %q", got)
	}
}

func TestAServerThatEndsFailsTheTestAtOnce(t *testing.T) {
	addr, _ := Addr(t)
	if got := said(t, func(t testing.TB) { Start(t, exec.Command("sh", "-c", "exit 3"), addr) }); !strings.Contains(got, "ended before") {
		t.Errorf("%q", got)
	}
}

func TestRealRedisAndMemcachedAcceptConnections(t *testing.T) {
	for _, addr := range []string{Redis(t, "how it is started"), Memcached(t, "how it is started")} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}

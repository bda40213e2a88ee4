package nettest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestAReservedPortRefusesAndIsTheTestsAlone(t *testing.T) {
	t.Parallel()
	addr := Refuse(t)
	refuses := func() {
		t.Helper()
		if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("it does not refuse: %v", err)
		}
	}
	refuses()
	for range 3 { // a server that is restarted has it again
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = ln.Close()
		refuses()
	}
}

// The kernel gives it neither to a listener of any port nor to a connection.
func TestTheKernelGivesAReservedPortToNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: not all ports of the machine are asked for")
	}
	reserved := map[string]bool{}
	for range 200 {
		reserved[Refuse(t)] = true
	}
	for range 8000 {
		ln := listen(t)
		if reserved[ln.Addr().String()] {
			t.Fatalf("%s was given to a listener", ln.Addr())
		}
		_ = ln.Close()
	}
}

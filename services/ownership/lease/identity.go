package lease

import (
	"fmt"
	"net"
	"strings"
)

// An Identity is a holder as the store keeps it: "name@host:port#run". The run makes
// it another holder after each restart: what the process before held is not its own.
type Identity struct {
	Name string // of the replica
	Addr string // where it is reached: host:port, or ""
	Run  string // unique to one run of the process
}

// String writes the identity as ParseIdentity reads it.
func (i Identity) String() string { return i.Name + "@" + i.Addr + "#" + i.Run }

// maxIdentity bounds what is read from a store.
const maxIdentity = 512

// ParseIdentity reads an identity. The name holds no @ and the address no #.
func ParseIdentity(text string) (Identity, error) {
	name, rest, found := strings.Cut(text, "@")
	addr, run, complete := strings.Cut(rest, "#")
	if len(text) > maxIdentity || !found || !complete || name == "" || run == "" || strings.ContainsAny(name+run, " \t\r\n") {
		return Identity{}, fmt.Errorf("%.60q is no holder: want name@host:port#run", text)
	}
	if addr != "" {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return Identity{}, fmt.Errorf("%.60q is no holder: want name@host:port#run", text)
		}
	}
	return Identity{Name: name, Addr: addr, Run: run}, nil
}

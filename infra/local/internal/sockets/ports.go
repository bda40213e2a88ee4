// Package sockets gives the processes of a fleet their ports: free ones that
// stay theirs, and public listeners that several processes share.
package sockets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// Ports remembers which process has which ports, in a file, so that a process
// and even the next fleet keeps them. Make it with OpenPorts.
type Ports struct {
	host string
	file string

	mu    sync.Mutex // guards all below
	pairs map[string]topology.Pair
	used  map[int]bool    // by this fleet
	fresh map[string]bool // pairs that were looked at since OpenPorts
}

// lowest is where the search for free ports begins. It ends where the kernel's
// ephemeral ports begin: a port from there could be taken by an outgoing
// connection while its process restarts.
const lowest = 20000

// OpenPorts reads the file, where there is one.
func OpenPorts(host, file string) (*Ports, error) {
	p := &Ports{host: host, file: file, pairs: map[string]topology.Pair{}, used: map[int]bool{}, fresh: map[string]bool{}}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(content, &p.pairs) != nil {
		p.pairs = map[string]topology.Pair{} // it is only a memory: new ports do as well
	}
	for _, pair := range p.pairs {
		p.used[pair.Data], p.used[pair.Admin] = true, true
	}
	return p, nil
}

// Pair returns the ports of a process: those it had, when they are still free
// as this fleet begins, else new ones.
func (p *Ports) Pair(name string) (topology.Pair, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pair, known := p.pairs[name]
	if known && (p.fresh[name] || p.free(pair.Data) && p.free(pair.Admin)) {
		p.fresh[name] = true
		return pair, nil
	}
	var err error
	if pair.Data, err = p.next(); err != nil {
		return pair, err
	}
	if pair.Admin, err = p.next(); err != nil {
		return pair, err
	}
	p.pairs[name], p.fresh[name] = pair, true
	content, err := json.MarshalIndent(p.pairs, "", "  ")
	if err != nil {
		return pair, err
	}
	return pair, atomicfile.Write(p.file, append(content, '\n'), 0o600)
}

// next finds a free port, from a random one on, so that two fleets that start
// at once do not run after the same ones.
func (p *Ports) next() (int, error) {
	span := max(proc.FirstEphemeral()-lowest, 1000)
	start := rand.IntN(span)
	for i := range span {
		port := lowest + (start+i)%span
		if !p.used[port] && p.free(port) {
			p.used[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free", lowest, lowest+span-1)
}

func (p *Ports) free(port int) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort(p.host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

// Remembered tells the ports of the file without looking whether they are free,
// and examples for processes that are not in it. It writes nothing.
func Remembered(file string) (func(name string) (topology.Pair, error), error) {
	p, err := OpenPorts("", file)
	if err != nil {
		return nil, err
	}
	next := lowest
	return func(name string) (topology.Pair, error) {
		pair, known := p.pairs[name]
		if !known {
			pair = topology.Pair{Data: next, Admin: next + 1}
			next += 2
			p.pairs[name] = pair
		}
		return pair, nil
	}, nil
}

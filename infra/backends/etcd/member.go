package etcd

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver"
)

// A member is one etcd server. It can be stopped and started again, and then goes
// on with the data it had.
type member struct {
	number int
	socket string // on which it serves clients
	config *embed.Config

	stopping atomic.Bool // what etcd complains of is on purpose

	mu      sync.Mutex // guards all below
	server  *embed.Etcd
	clients map[net.Conn]bool // connections that were handed to it
}

func (m *member) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server != nil {
		return nil
	}
	m.stopping.Store(false)
	config := *m.config // StartEtcd fills it in
	server, err := embed.StartEtcd(&config)
	if err != nil {
		return fmt.Errorf("start member %d: %w", m.number, err)
	}
	m.server, m.clients = server, map[net.Conn]bool{}
	return nil
}

// stop ends the server, and first the connections of its clients: it would wait
// for their watches.
func (m *member) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return
	}
	m.stopping.Store(true)
	for conn := range m.clients {
		_ = conn.Close() // its copies end by that
	}
	if !joined(m.server) {
		m.server.Server.HardStop() // Close would wait until it is ready, for ever where a majority is gone
	}
	m.server.Close()
	m.server, m.clients = nil, nil
}

// running returns the server, or nil when it is stopped.
func (m *member) running() *embed.Etcd {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server
}

// joined tells whether a server has told its cluster of itself. It answers
// nobody before that, and until then the others would take one that has lost its
// data for a new one.
func joined(server *embed.Etcd) bool {
	select {
	case <-server.Server.ReadyNotify():
		return true
	default:
		return false
	}
}

// led tells whether the member answers clients: it has joined, and follows a leader.
func (m *member) led() bool {
	server := m.running()
	return server != nil && joined(server) && server.Server.Leader() != 0
}

// cut keeps the member from all others, and mend lets them meet again. Clients reach it all
// the time: that is what a partition looks like from its wrong side.
func (m *member) cut() { m.eachPeer((*etcdserver.EtcdServer).CutPeer) }

func (m *member) mend() { m.eachPeer((*etcdserver.EtcdServer).MendPeer) }

func (m *member) eachPeer(do func(*etcdserver.EtcdServer, types.ID)) {
	server := m.running()
	if server == nil {
		return
	}
	for _, other := range server.Server.Cluster().Members() {
		if other.ID != server.Server.MemberID() {
			do(server.Server, other.ID)
		}
	}
}

func (m *member) leads() bool {
	server := m.running()
	return server != nil && server.Server.Leader() == server.Server.MemberID()
}

// take notes a client's connection, unless the member is stopped.
func (m *member) take(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return false
	}
	m.clients[conn] = true
	return true
}

func (m *member) leave(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, conn)
}

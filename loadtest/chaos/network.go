package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// ErrNoNetwork says that networks cannot be made here.
var ErrNoNetwork = errors.New("no network namespaces")

// nowhere is an address that no interface has: what is sent to it is lost.
const nowhere = "02:00:00:00:00:01"

// Network is a switch with nodes around it, each in a namespace of its own, and this
// process's namespace beside them. The switch has a namespace, too, so that no rule of
// the machine's packet filter stands between nodes.
type Network struct {
	prefix string // of the names of namespaces
	link   string // interface of this namespace
	subnet string // first three numbers of the addresses
	nodes  []string
	lost   [][2]int // from a node to a node, by number
}

var networks atomic.Int64 // made by this process

// NewNetwork makes a network with named nodes. Close it.
func NewNetwork(ctx context.Context, nodes ...string) (*Network, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: they need root", ErrNoNetwork)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("%w: they need iproute2", ErrNoNetwork)
	}
	if len(nodes) < 1 || len(nodes) > 200 {
		return nil, fmt.Errorf("network of %d nodes, want 1 to 200", len(nodes))
	}
	id := fmt.Sprintf("fl%d-%d", os.Getpid(), networks.Add(1))
	// 198.18.0.0/15 is for measurements like this one (RFC 2544): no real network has it.
	n := &Network{prefix: id + "-", link: id, subnet: fmt.Sprintf("198.%d.%d", 18+rand.IntN(2), rand.IntN(256)), nodes: nodes}
	if err := n.build(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) build(ctx context.Context) error {
	hub := n.prefix + "hub"
	commands := [][]string{
		{"netns", "add", hub},
		{"-n", hub, "link", "add", "hub", "type", "bridge"},
		{"-n", hub, "link", "set", "hub", "up"},
		// The end of the first cable is moved to where this process is.
		{"-n", hub, "link", "add", "port0", "type", "veth", "peer", "name", n.link, "netns", fmt.Sprint(os.Getpid())},
		{"-n", hub, "link", "set", "port0", "master", "hub", "up"},
		{"addr", "add", n.ip(0) + "/24", "dev", n.link},
		{"link", "set", n.link, "up"},
	}
	for i := range n.nodes {
		space, port := n.space(i+1), fmt.Sprintf("port%d", i+1)
		commands = append(commands, [][]string{
			{"netns", "add", space},
			{"-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space},
			{"-n", hub, "link", "set", port, "master", "hub", "up"},
			{"-n", space, "addr", "add", n.ip(i+1) + "/24", "dev", "eth0"},
			{"-n", space, "link", "set", "eth0", "up"},
			{"-n", space, "link", "set", "lo", "up"},
		}...)
	}
	for i, c := range commands {
		err := ip(ctx, c...)
		if err != nil && i < 5 {
			return fmt.Errorf("%w: %w", ErrNoNetwork, err) // the kernel, or a container, has none
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// space is the namespace of a node by its number, from 1; 0 is this process.
func (n *Network) space(number int) string { return fmt.Sprintf("%s%d", n.prefix, number) }

func (n *Network) ip(number int) string { return fmt.Sprintf("%s.%d", n.subnet, number+1) }

func (n *Network) number(node string) (int, error) {
	for i, name := range n.nodes {
		if name == node {
			return i + 1, nil
		}
	}
	if node == Here {
		return 0, nil
	}
	return 0, fmt.Errorf("the network has no node %q", node)
}

// Here is the name of this process's own namespace.
const Here = ""

// IP is the address of a node.
func (n *Network) IP(node string) string {
	i, err := n.number(node)
	if err != nil {
		return ""
	}
	return n.ip(i)
}

// In makes the command that runs a program on a node. The program replaces the command,
// whose process it is.
func (n *Network) In(node string) func(path string, args ...string) (string, []string) {
	return func(path string, args ...string) (string, []string) {
		i, err := n.number(node)
		if err != nil || i == 0 {
			return path, args
		}
		return "ip", append([]string{"netns", "exec", n.space(i), path}, args...)
	}
}

// CutOneWay loses what one node sends to another one.
func (n *Network) CutOneWay(ctx context.Context, from, to string) error {
	a, err := n.number(from)
	if err != nil {
		return err
	}
	b, err := n.number(to)
	if err != nil {
		return err
	}
	n.lost = append(n.lost, [2]int{a, b}) // also when it fails: Mend tries
	return ip(ctx, n.at(a, "neigh", "replace", n.ip(b), "lladdr", nowhere, "nud", "permanent")...)
}

// Cut loses what two nodes send to each other.
func (n *Network) Cut(ctx context.Context, a, b string) error {
	return errors.Join(n.CutOneWay(ctx, a, b), n.CutOneWay(ctx, b, a))
}

// Isolate loses what a node sends to the others and they to it. This process still
// reaches it, to see what it does.
func (n *Network) Isolate(ctx context.Context, node string) error {
	var all []error
	for _, other := range n.nodes {
		if other != node {
			all = append(all, n.Cut(ctx, node, other))
		}
	}
	return errors.Join(all...)
}

// Mend ends all cuts. What was lost meanwhile is sent again by those who care.
func (n *Network) Mend(ctx context.Context) error {
	done := map[[2]int]bool{}
	for _, l := range n.lost {
		if done[l] {
			continue
		}
		done[l] = true
		if err := ip(ctx, n.at(l[0], "neigh", "del", n.ip(l[1]))...); err != nil {
			return err
		}
	}
	n.lost = nil
	return nil
}

// at is a command about the interface of a node.
func (n *Network) at(number int, args ...string) []string {
	if number == 0 {
		return append(args, "dev", n.link)
	}
	return append(append([]string{"-n", n.space(number)}, args...), "dev", "eth0")
}

// Close removes the network. Programs that still run in it keep their namespace, and
// reach nobody.
func (n *Network) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	spaces := []string{n.prefix + "hub"}
	for i := range n.nodes {
		spaces = append(spaces, n.space(i+1))
	}
	// A cable is gone with either of its ends, but with a namespace only some time later.
	_ = ip(ctx, "link", "del", n.link) // not there: it was not made
	var all []error
	for _, s := range spaces {
		if _, err := os.Stat("/var/run/netns/" + s); err == nil {
			all = append(all, ip(ctx, "netns", "del", s))
		}
	}
	return errors.Join(all...)
}

// ip runs one command of iproute2.
func ip(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

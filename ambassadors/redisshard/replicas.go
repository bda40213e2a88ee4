package redisshard

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

// maxReplicas bounds the servers of one shard, with its own.
const maxReplicas = 16

// replicas are the addresses of REDISSHARD_REPLICAS by the name of their shard.
func (c Config) replicas() (map[string][]string, error) {
	all := map[string][]string{}
	for _, one := range c.Replicas {
		name, addr, _ := strings.Cut(strings.TrimSpace(one), "=")
		host, port, err := net.SplitHostPort(addr)
		switch {
		case name == "" || err != nil || host == "" || port == "":
			return nil, fmt.Errorf("%q is not valid: want name=host:port", one)
		case slices.Contains(all[name], addr):
			return nil, fmt.Errorf("%q is there twice", one)
		case len(all[name]) == maxReplicas-1:
			return nil, fmt.Errorf("%s has too many replicas, at most %d are possible", name, maxReplicas-1)
		}
		all[name] = append(all[name], addr)
	}
	return all, nil
}

// checkReplicas finds replicas of shards that the pools do not have, and shards
// that are to be replicas of themselves.
func checkReplicas(replicas map[string][]string, confs []nutcracker.Pool) error {
	known := map[string][]string{} // names, with the addresses that they have already
	for _, c := range confs {
		for _, server := range c.Servers {
			known[server.Name] = append(known[server.Name], server.Addr)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(replicas)) {
		if known[name] == nil {
			return wrongReplicas("no shard is called %q", name)
		}
		for _, addr := range replicas[name] {
			if slices.Contains(known[name], addr) {
				return wrongReplicas("%s=%s is the shard itself, which is no replica of its own", name, addr)
			}
		}
	}
	return nil
}

func wrongReplicas(format string, args ...any) error {
	return config.Error{{Variable: "REDISSHARD_REPLICAS", Message: fmt.Sprintf(format, args...)}}
}

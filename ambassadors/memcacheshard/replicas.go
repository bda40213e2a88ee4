package memcacheshard

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// maxReplicas bounds the servers of one shard.
const maxReplicas = 16

// parseReplicas reads lines, or parts between commas: the name of a shard, which
// is that of a server of a pool, and addresses of servers that hold the same keys.
// What stands after a # is for people.
func parseReplicas(text string, pools []nutcracker.Pool) (map[string][]string, error) {
	known := map[string][]string{} // names, with the addresses that they have already
	for _, p := range pools {
		for _, s := range p.Servers {
			known[s.Name] = append(known[s.Name], s.Addr)
		}
	}
	replicas := map[string][]string{}
	var errs []error
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := oneShard(words, known, replicas); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", strings.Join(words, " "), err))
		}
	}
	return replicas, errors.Join(errs...)
}

func oneShard(words []string, known, replicas map[string][]string) error {
	name, addrs := words[0], words[1:]
	first, isKnown := known[name]
	switch {
	case !isKnown:
		hint := "known are " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
		if near := config.Nearest(name, slices.Sorted(maps.Keys(known)), 3); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fmt.Errorf("no server of a pool is called %s: %s", name, hint)
	case len(addrs) == 0:
		return errors.New("want addresses after the name, each host:port")
	case len(replicas[name]) > 0:
		return fmt.Errorf("%s is there twice", name)
	case len(addrs) >= maxReplicas:
		return fmt.Errorf("%d addresses, at most %d are possible", len(addrs), maxReplicas-1)
	}
	for i, addr := range addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return fmt.Errorf("%q is no address: want host:port", addr)
		}
		if slices.Contains(first, addr) || slices.Contains(addrs[:i], addr) {
			return fmt.Errorf("%s is there twice: a server is no replica of itself", addr)
		}
	}
	replicas[name] = addrs
	return nil
}

// replicas reads those of the configuration; text is the content of the file.
func (c Config) replicas(pools []nutcracker.Pool) (replicas map[string][]string, text []byte, err error) {
	variable, source := "MEMCACHESHARD_REPLICAS", c.Replicas
	if c.ReplicasFile != "" {
		variable = "MEMCACHESHARD_REPLICAS_FILE"
		if text, err = watch.Read(c.ReplicasFile); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", variable, err)
		}
		source = string(text)
	}
	if replicas, err = parseReplicas(source, pools); err != nil {
		return nil, nil, config.Error{{Variable: variable, Message: err.Error()}}
	}
	return replicas, text, nil
}

package nutcracker

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// settings maps the keys of a pool to what reads them.
func (d *decoder) settings(p *Pool) map[string]func(key, value *yaml.Node) {
	return map[string]func(key, value *yaml.Node){
		"listen":               d.checked(&p.Listen, parseListen),
		"hash":                 d.checked(&p.Hash, oneOf(sharding.HashNames())),
		"hash_tag":             d.checked(&p.HashTag, twoCharacters),
		"distribution":         d.checked(&p.Distribution, oneOf(twemproxyDistributions)),
		"timeout":              d.millis(&p.Timeout),
		"backlog":              d.ignored(p, d.number(new(int), 0, maxConnections)),
		"client_connections":   d.number(&p.ClientConnections, 0, maxConnections),
		"redis":                d.boolean(&p.Redis),
		"tcpkeepalive":         d.boolean(new(bool)),
		"reuseport":            d.ignored(p, d.boolean(new(bool))),
		"redis_auth":           d.checked(&p.RedisAuth, notEmpty),
		"redis_db":             d.number(&p.RedisDB, 0, maxConnections),
		"preconnect":           d.boolean(&p.Preconnect),
		"auto_eject_hosts":     d.boolean(&p.AutoEject),
		"server_connections":   d.number(&p.ServerConnections, 1, 64),
		"server_retry_timeout": d.millis(&p.RetryTimeout),
		"server_failure_limit": d.number(&p.FailureLimit, 0, maxConnections),
		"servers":              func(_, value *yaml.Node) { p.Servers = d.servers(value) },
	}
}

// twemproxyDistributions are the ones that the file may name; package sharding
// has more.
var twemproxyDistributions = []string{"ketama", "modula", "random"}

func (d *decoder) onePool(name, n *yaml.Node) Pool {
	p := newPool(name.Value)
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "want settings below its name: listen, servers, …")
		return p
	}
	known := d.settings(&p)
	found := map[string]bool{}
	d.pairs(n, func(key, value *yaml.Node) {
		found[key.Value] = true
		if read := known[key.Value]; read != nil {
			read(key, value)
			return
		}
		names := slices.Sorted(maps.Keys(known))
		hint := "known are " + strings.Join(names, ", ")
		if near := config.Nearest(key.Value, names, 4); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.wrong(key, "%s is no setting: %s", key.Value, hint)
	})
	for _, needed := range []string{"listen", "servers"} {
		if !found[needed] {
			d.wrong(name, "%s is missing", needed)
		}
	}
	if p.RedisAuth != "" && !p.Redis {
		d.wrong(name, "redis_auth: is for pools with redis: true")
	}
	return p
}

// scalar returns the text of a single value.
func (d *decoder) scalar(key, value *yaml.Node) (string, bool) {
	if value.Kind != yaml.ScalarNode {
		d.wrong(value, "%s: want a single value", key.Value)
		return "", false
	}
	return value.Value, true
}

// checked reads a text through a parser.
func (d *decoder) checked(into *string, parse func(string) (string, error)) func(key, value *yaml.Node) {
	return func(key, value *yaml.Node) {
		text, ok := d.scalar(key, value)
		if !ok {
			return
		}
		parsed, err := parse(text)
		if err != nil {
			d.wrong(value, "%s: %v", key.Value, err)
			return
		}
		*into = parsed
	}
}

func (d *decoder) number(into *int, low, high int) func(key, value *yaml.Node) {
	return func(key, value *yaml.Node) {
		text, ok := d.scalar(key, value)
		if !ok {
			return
		}
		n, err := number(text, low, high)
		if err != nil {
			d.wrong(value, "%s: %q is not valid: %v", key.Value, text, err)
			return
		}
		*into = n
	}
}

func (d *decoder) millis(into *time.Duration) func(key, value *yaml.Node) {
	return func(key, value *yaml.Node) {
		n := int(*into / time.Millisecond)
		d.number(&n, 0, maxMillis)(key, value)
		*into = time.Duration(n) * time.Millisecond
	}
}

func (d *decoder) boolean(into *bool) func(key, value *yaml.Node) {
	return func(key, value *yaml.Node) {
		text, ok := d.scalar(key, value)
		if !ok {
			return
		}
		if text != "true" && text != "false" {
			d.wrong(value, "%s: %q is not valid: want true or false", key.Value, text)
			return
		}
		*into = text == "true"
	}
}

// ignored reads a setting and notes that it has no effect.
func (d *decoder) ignored(p *Pool, read func(key, value *yaml.Node)) func(key, value *yaml.Node) {
	return func(key, value *yaml.Node) {
		read(key, value)
		p.Ignored = append(p.Ignored, key.Value)
	}
}

func (d *decoder) servers(n *yaml.Node) []Server {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.wrong(n, "servers: want a list, such as - redis-0:6379:1")
		return nil
	}
	if len(n.Content) > maxServers {
		d.wrong(n, "servers: %d servers, at most %d are possible", len(n.Content), maxServers)
		return nil
	}
	var servers []Server
	for _, one := range n.Content {
		if one.Kind != yaml.ScalarNode {
			d.wrong(one, "servers: want host:port:weight and perhaps a name after a space")
			continue
		}
		server, err := parseServer(one.Value)
		if err != nil {
			d.wrong(one, "servers: %q: %v", one.Value, err)
			continue
		}
		servers = append(servers, server)
	}
	sortServers(servers)
	if twice := duplicate(servers); twice != "" {
		d.wrong(n, "servers: two of them are called %q: give them names", twice)
	}
	return servers
}

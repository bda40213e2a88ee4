package wiring

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A target is what a variable of a process points to: a port of another.
type target struct {
	variable string
	host     string
	port     int
	admin    int  // port on which health is checked; 0: none
	dns      bool // resolved again and again
	file     bool // members come from a file that the local runner writes; no ports
}

var (
	address = regexp.MustCompile(`^(dns:)?([a-z][a-z0-9-]*)(?:\.[a-z0-9.-]+)?:([0-9]+)(?:/([0-9]+))?(?::[0-9]+(?: .*)?)?$`) // a server of a ring has a weight, and may have a name
	url     = regexp.MustCompile(`^[a-z]+://(?:[^@/]*@)?([a-z][a-z0-9-]*)(?:\.[a-z0-9.-]+)?:([0-9]+)(?:/|$)`)
	members = regexp.MustCompile(`^file:.*/endpoints/([a-z][a-z0-9-]*)$`)
)

// targets finds the addresses of other processes among the variables: upstream
// addresses (host:port/admin, dns:…, file:…) and URLs with a port.
func (p Process) targets() []target {
	if p.Optional { // load comes from outside, by the public name
		return nil
	}
	if p.Program == "" && p.Replicas > 1 { // a server that is not ours, told of itself and of its like
		return nil
	}
	var all []target
	for _, variable := range slices.Sorted(maps.Keys(p.Env)) {
		if strings.HasPrefix(variable, handedOn) {
			continue
		}
		for one := range strings.SplitSeq(p.Env[variable], ",") {
			if t, ok := parseTarget(strings.TrimSpace(one)); ok {
				t.variable = variable
				all = append(all, t)
			}
		}
		for _, m := range server.FindAllStringSubmatch(p.Files[p.Env[variable]], -1) {
			all = append(all, target{variable: variable, host: m[1], port: number(m[2])})
		}
	}
	return all
}

// handedOn begins the names of variables whose addresses are told to others, who then call
// them: where the proxies find a shard's replicas.
const handedOn = "HOTSHARDS_UPSTREAM_"

// server is a line of a configuration file that names a server:
// "- redis-shard-0.redis-shard:6379:1 shard-0", or "mysql-a:3306".
var server = regexp.MustCompile(`(?m)^(?:\s*-\s+)?([a-z][a-z0-9-]*)(?:\.[a-z0-9.-]+)?:([0-9]+)(?::[0-9]+)?(?:\s|$)`)

func parseTarget(s string) (target, bool) {
	if m := url.FindStringSubmatch(s); m != nil {
		return target{host: m[1], port: number(m[2])}, true
	}
	if m := members.FindStringSubmatch(s); m != nil {
		return target{host: path.Base(m[1]), file: true, dns: true}, true
	}
	if m := address.FindStringSubmatch(s); m != nil && m[2] != "localhost" && m[2] != "fd" { // fd:3 is an inherited listener
		return target{host: m[2], port: number(m[3]), admin: number(m[4]), dns: m[1] != ""}, true
	}
	return target{}, false
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0 // the pattern lets digits through only, or nothing
	}
	return n
}

// calls are the connections between pods that the configuration makes the fleet
// open.
func (f Fleet) calls() []Call {
	var all []Call
	for _, p := range f.Processes {
		for _, t := range p.targets() {
			to := t.host
			if pod := f.Pod(t.host); len(pod) > 0 {
				to = pod[0].pod()
			}
			if to == p.pod() {
				continue
			}
			all = append(all, Call{p.pod(), to, t.port, "tcp"})
			if t.admin != 0 {
				all = append(all, Call{p.pod(), to, t.admin, "tcp"})
			}
		}
	}
	return all
}

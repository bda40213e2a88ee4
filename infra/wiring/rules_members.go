package wiring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// counts are the processes of which one wiring may have more than another, and why.
var counts = map[string]string{
	"edge":       "two containers cannot publish the same port",
	"shardproxy": "the same; and locally each would have a plan of its own",
	"search":     "two containers cannot publish the same port",
	"etcd":       "one member is enough on one machine, and three take their memory thrice; `--etcd-members 3` starts as many as the others have",
}

// compareReplicas: as many of each as in the reference, so that what one wiring survives
// another one survives too.
func compareReplicas(reference, other Fleet) []Finding {
	return each(other, func(p Process, f *findings) {
		same, found := reference.Find(p.Name)
		if _, may := counts[p.Name]; may || !found || p.OneShot || p.Replicas == same.Replicas {
			return
		}
		f.add(fmt.Sprintf("%d, as in %s", same.Replicas, reference.Wiring), "there are %d of it", p.Replicas)
	})
}

// checkMembers: who names one member of a set by its own name names them all. With one of
// three members of etcd it would be away with that one, and with two of three shards the keys
// would lie elsewhere than for everybody else.
func checkMembers(fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		named := map[string]map[string]bool{} // variable and set → members
		for _, t := range p.targets() {
			set, ok := fleet.set(t.host)
			if !ok {
				continue
			}
			key := t.variable + " " + set.Name
			if named[key] == nil {
				named[key] = map[string]bool{}
			}
			named[key][t.host] = true
		}
		for _, key := range slices.Sorted(maps.Keys(named)) {
			variable, name, _ := strings.Cut(key, " ")
			set, _ := fleet.Find(name)
			if n := len(named[key]); n != set.Replicas {
				f.add(fmt.Sprintf("all %d", set.Replicas), "%s names %d of the members of %s", variable, n, name)
			}
		}
	})
}

// set finds the process of which a host is one of several replicas with names of their own.
func (f Fleet) set(host string) (Process, bool) {
	if _, whole := f.Find(host); whole {
		return Process{}, false
	}
	m := replica.FindStringSubmatch(host)
	if m == nil {
		return Process{}, false
	}
	p, found := f.Find(m[1])
	return p, found && p.Replicas > 1
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// group is a part of the fleet that can be started on its own: an application with what
// stands beside it.
type group struct {
	name, about string
	services    []topology.Service
}

// all is the name of every group together.
const all = "all"

// groups are the parts of the fleet. The first one is always started; one that needs
// another stands behind it.
func groups() []group {
	return []group{
		{"serving", "the dictionary behind its cache and its edge (R1–R5, D1)", servingPath()},
		{"configuration", "etcd and the API for configurations (S2)", configuration()},
		{"legacy", "an old application with its sidecars and adapter (S1–S3, D2)", legacyPod()},
		{"site", "a site whose pages come out of git (S4)", siteFromGit()},
		{"lookups", "an application that caches in a sharded Redis (A1)", lookupsPod()},
		{"thesaurus", "an application that caches in a sharded memcached (A2)", thesaurusPod()},
		{"guestbook", "an application whose database moves (A3, D3)", guestbookPod()},
		{"ownership", "shards of a ledger, owned by election (O1–O3)", ownershipPods()},
		{"experiment", "the next version, tried on some users (A4)", experimentPod()},
		{"sharded", "a cache in three shards of two replicas each (H1, H3)", shardedCache()},
		{"hotshards", "the controller that gives its hot shards more replicas (H4)", hotShards()},
		{"search", "documents in a log, searched in three shards of two replicas each (G2)", documentSearch()},
		{"terms", "the same with the words distributed over leaves that have all documents (G1)", termSearch()},
	}
}

// table is what all groups have: what runs, how often, and with which parameters. What is
// not said there is the program's default; see its --help. The words in {{}} are
// explained at topology.Service.
func table() []topology.Service {
	var rows []topology.Service
	for _, g := range groups() {
		rows = append(rows, g.services...)
	}
	return rows
}

// groupNames lists those that can be chosen.
func groupNames() string {
	var names []string
	for _, g := range groups()[1:] {
		names = append(names, g.name)
	}
	return strings.Join(append(names, all), ", ")
}

// choose returns the services of groups, and those of the groups that they need: a part
// of one would be of no use.
func choose(wanted []string) ([]topology.Service, error) {
	known := groups()
	chosen := map[string]bool{known[0].name: true}
	for _, name := range wanted {
		if name != all && !slices.ContainsFunc(known, func(g group) bool { return g.name == name }) {
			return nil, fmt.Errorf("there is no group %q: want %s", name, groupNames())
		}
		chosen[name] = true
	}
	var rows []topology.Service
	for _, g := range slices.Backward(known) { // a group needs those before it
		if !chosen[g.name] && !chosen[all] && !neededBy(rows, g) {
			continue
		}
		rows = append(slices.Clone(g.services), rows...)
	}
	return rows, nil
}

func neededBy(rows []topology.Service, g group) bool {
	return slices.ContainsFunc(rows, func(row topology.Service) bool {
		return slices.ContainsFunc(g.services, func(s topology.Service) bool { return slices.Contains(row.Needs, s.Name) })
	})
}

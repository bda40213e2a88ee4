package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// ownershipPods are replicas of which one owns each shard of a ledger, and the workers that
// keep the shards and refuse who no longer owns them:
//
//	ownership × 3 → ledger-a, ledger-b
//	   └────→ etcd, for who owns what
func ownershipPods() []topology.Service {
	return []topology.Service{
		ledger("ledger-a"),
		ledger("ledger-b"),
		{
			Name: "ownership", Package: "./services/ownership/cmd/ownership", Count: 3, Needs: []string{"etcd", "ledger-a", "ledger-b"},
			Env: map[string]string{
				"OWNERSHIP_STORE_ETCD_ENDPOINTS": `{{addrs "etcd"}}`,
				"OWNERSHIP_LEDGERS":              `{{addr "ledger-a"}},{{addr "ledger-b"}}`,
			},
		},
	}
}

// ledger is a worker with shards of its own.
func ledger(name string) topology.Service {
	return topology.Service{
		Name: name, Package: "./services/ownership/cmd/ledger", Count: 1, Single: true,
		Env: map[string]string{
			"LEDGER_DIR":  `{{private "shards"}}`,
			"DRAIN_DELAY": "0s", // nobody else has its shards
		},
	}
}

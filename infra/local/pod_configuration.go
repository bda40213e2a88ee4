package main

import (
	"errors"
	"slices"

	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// configuration is where configurations are kept, and the API for them.
func configuration() []topology.Service {
	return []topology.Service{
		{
			Name: "etcd", Package: "./infra/backends/etcd/cmd/etcd", Count: 1, Single: true,
			Env: map[string]string{
				"DRAIN_DELAY":   "0s", // there is no other one to move to
				"ETCD_DATA_DIR": `{{private "data"}}`,
			},
			Real: &topology.Real{
				Program: "etcd",
				Args: []string{"--data-dir", `{{private "real"}}`, "--log-level", "warn",
					"--heartbeat-interval", "100", "--election-timeout", "600", "--auto-compaction-mode", "periodic", "--auto-compaction-retention", "10m",
					"--listen-client-urls", `http://127.0.0.1:{{port "data"}}`, "--advertise-client-urls", `http://127.0.0.1:{{port "data"}}`,
					"--listen-peer-urls", `http://127.0.0.1:{{port "admin"}}`, "--initial-advertise-peer-urls", `http://127.0.0.1:{{port "admin"}}`,
					"--initial-cluster", `default=http://127.0.0.1:{{port "admin"}}`},
				Ping: "GET /health HTTP/1.0\r\n\r\n", Pong: "^HTTP/1.0 200",
			},
		},
		{
			Name: "configapi", Package: "./sidecars/configsync/cmd/configapi", Count: 1, Single: true, Needs: []string{"etcd"},
			Env: map[string]string{
				"CONFIGAPI_ETCD_ENDPOINTS": `{{addrs "etcd"}}`,
				"CONFIGAPI_TOKEN_FILE":     `{{secret "config-token"}}`,
			},
		},
	}
}

// sizes are how large a part of the fleet is, where that is somebody's choice.
type sizes struct {
	EtcdMembers int `name:"etcd-members" enum:"1,3" default:"1" help:"Members of etcd: 1, which is enough on one machine, or 3, of which one can be lost."`
}

// of returns the services with these sizes.
func (z sizes) of(rows []topology.Service) ([]topology.Service, error) {
	if z.EtcdMembers <= 1 {
		return rows, nil
	}
	at := slices.IndexFunc(rows, func(s topology.Service) bool { return s.Name == "etcd" })
	if at < 0 {
		return nil, errors.New("--etcd-members: no group that was chosen has an etcd; `configuration` has")
	}
	rows = slices.Clone(rows)
	rows[at] = etcdCluster(z.EtcdMembers)
	return rows, nil
}

// etcdCluster is etcd as several members, each a process with its data. They are not those
// of the single one: a member belongs to the cluster that it was made in.
func etcdCluster(members int) topology.Service {
	return topology.Service{
		Name: "etcd", Package: "./infra/backends/etcd/cmd/etcd", Count: members, Fixed: true,
		Env: map[string]string{
			"DRAIN_DELAY":   "0s", // clients go to another one by themselves
			"ETCD_DATA_DIR": `{{private "member"}}`,
			"ETCD_PEERS":    `{{peers "etcd" ""}}`,
		},
		Real: &topology.Real{
			Program: "etcd",
			Args: []string{"--data-dir", `{{private "real-member"}}`, "--log-level", "warn", "--name", `{{name}}`,
				"--heartbeat-interval", "100", "--election-timeout", "600", "--auto-compaction-mode", "periodic", "--auto-compaction-retention", "10m",
				"--listen-client-urls", `http://127.0.0.1:{{port "data"}}`, "--advertise-client-urls", `http://127.0.0.1:{{port "data"}}`,
				"--listen-peer-urls", `http://{{peer}}`, "--initial-advertise-peer-urls", `http://{{peer}}`,
				"--initial-cluster", `{{peers "etcd" "http://"}}`},
			Ping: "GET /health HTTP/1.0\r\n\r\n", Pong: "^HTTP/1.0 200",
		},
	}
}

package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

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
				"CONFIGAPI_ETCD_ENDPOINTS": `{{addr "etcd"}}`,
				"CONFIGAPI_TOKEN_FILE":     `{{secret "config-token"}}`,
			},
		},
	}
}

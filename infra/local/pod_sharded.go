package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// shardedCache is the dictionary behind a cache in three shards of two replicas each:
//
//	reader → shardproxy → cacheshard-a (TLS) ─→ dictionary (TLS)
//	          ↑     ├───→ cacheshard-b (TLS) ───↗
//	          file  └───→ cacheshard-c (TLS) ──↗
//
// It is reached by its own address: the serving path has a replicated cache.
func shardedCache() []topology.Service {
	return []topology.Service{
		cacheShard("cacheshard-a"),
		cacheShard("cacheshard-b"),
		cacheShard("cacheshard-c"),
		{
			Name: "shardproxy", Package: "./services/shardproxy/cmd/shardproxy", Count: 1, Needs: []string{"cacheshard-a", "cacheshard-b", "cacheshard-c"},
			Env: map[string]string{
				"CHECK_INTERVAL":               checkInterval,
				"SHARDPROXY_CONFIG_FILE":       `{{file "services/shardproxy/cacheshards.yaml"}}`,
				"SHARDPROXY_UPSTREAM_A":        `{{endpoints "cacheshard-a"}}`,
				"SHARDPROXY_UPSTREAM_B":        `{{endpoints "cacheshard-b"}}`,
				"SHARDPROXY_UPSTREAM_C":        `{{endpoints "cacheshard-c"}}`,
				"SHARDPROXY_SHARD_TLS":         "on",
				"SHARDPROXY_SHARD_CA_FILE":     `{{pki "internal-ca.crt"}}`,
				"SHARDPROXY_SHARD_SERVER_NAME": "cache",
				"SHARDPROXY_SHARD_FIELD":       "X-Shard",
				"SHARDPROXY_TRUSTED_PROXIES":   "127.0.0.0/8",
			},
		},
	}
}

// cacheShard is a cache like those of the serving path, by the rules of RFC 9111 alone, and
// with a memory of its own.
func cacheShard(name string) topology.Service {
	return topology.Service{
		Name: name, Package: "./services/cache/cmd/cache", Count: 2, Needs: []string{"dictionary"},
		Env: map[string]string{
			"CHECK_INTERVAL":             checkInterval,
			"CACHE_NAME":                 name,
			"CACHE_UPSTREAM":             `{{endpoints "dictionary"}}`,
			"CACHE_UPSTREAM_TLS":         "on",
			"CACHE_UPSTREAM_CA_FILE":     `{{pki "cache/internal-ca.crt"}}`,
			"CACHE_UPSTREAM_SERVER_NAME": "dictionary",
			"CACHE_MEMORY":               "32MiB",
			"CACHE_TRUSTED_PROXIES":      "127.0.0.0/8",
			"TLS_CERT_FILE":              `{{pki "cache/tls.crt"}}`,
			"TLS_KEY_FILE":               `{{pki "cache/tls.key"}}`,
		},
	}
}

// hotShards is the controller that gives the shards of the cache more replicas, and lets
// cold ones share theirs:
//
//	hotshards → shardproxy: loads and places
//	    └─────→ the runner: replicas
//
// It is a group of its own: who looks at the sharded cache alone finds it as it was started.
func hotShards() []topology.Service {
	return []topology.Service{
		{
			Name: "hotshards", Package: "./services/hotshards/cmd/hotshards", Count: 1, Single: true, Needs: []string{"shardproxy"},
			Env: map[string]string{
				"HOTSHARDS_CONFIG_FILE":      `{{file "services/hotshards/cacheshards.yaml"}}`,
				"HOTSHARDS_UPSTREAM_A":       `{{endpoints "cacheshard-a"}}`,
				"HOTSHARDS_UPSTREAM_B":       `{{endpoints "cacheshard-b"}}`,
				"HOTSHARDS_UPSTREAM_C":       `{{endpoints "cacheshard-c"}}`,
				"HOTSHARDS_PROXIES":          `{{endpoints "shardproxy"}}`,
				"HOTSHARDS_PROXY_TOKEN_FILE": `{{secret "admin-token"}}`,
				"HOTSHARDS_ORCHESTRATOR":     "local",
				"HOTSHARDS_RUNNER_SOCKET":    "{{control}}",
				"HOTSHARDS_FLOOR":            "50",  // a second is nothing to a cache
				"HOTSHARDS_SHARE":            "off", // idle shards stay where the file of shardproxy has them
				"HOTSHARDS_STEP":             "2",
				"HOTSHARDS_COLD_LOOKS":       "10", // with the next one: for those who watch
				"HOTSHARDS_COOL_REST":        "15s",
			},
		},
	}
}

package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// servingPath is the dictionary and what stands before it:
//
//	browser → edge (TLS) → cache (TLS) → dictionary (TLS) → content, once, for the data
//	                         └──────────→ redis: purges and shared limits
//	                           redismetrics ↗  its state, for Prometheus
//
// With the group "search", whose roots the edge serves too, the edge starts when they are ready.
func servingPath() []topology.Service {
	return []topology.Service{
		{
			Name: "content", Package: "./services/content/cmd/content", Count: 1, Single: true,
			Env: map[string]string{
				"CONTENT_DIR": `{{file "services/dictionary/data"}}`,
			},
		},
		{
			Name: "redis", Package: "./infra/backends/redis/cmd/redis", Count: 1, Single: true,
			Env: map[string]string{"DRAIN_DELAY": "0s"}, // there is no other one to move to
			Real: &topology.Real{
				Program: "redis-server",
				Args:    []string{"--port", `{{port "data"}}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", `{{private ""}}`},
				Ping:    "PING\r\n",
			},
		},
		{
			Name: "redismetrics", Pod: "redis", Package: "./adapters/redismetrics/cmd/redismetrics", Count: 1, Single: true, Needs: []string{"redis"},
			Env: map[string]string{
				"REDISMETRICS_ADDR": `{{addr "redis"}}`,
			},
		},
		{
			Name: "dictionary", Package: "./services/dictionary/cmd/dictionary", Count: 3, Needs: []string{"content"},
			Env: map[string]string{
				"DICTIONARY_DATA_URL":  `http://{{addr "content"}}/{{base "services/dictionary/data/*.bin.gz"}}`,
				"DICTIONARY_CACHE_DIR": `{{shared "dictionary"}}`, // one file, mapped by all: its memory counts once
				"TLS_CERT_FILE":        `{{pki "dictionary/tls.crt"}}`,
				"TLS_KEY_FILE":         `{{pki "dictionary/tls.key"}}`,
			},
		},
		{
			Name: "cache", Package: "./services/cache/cmd/cache", Count: 2, Needs: []string{"dictionary", "redis"},
			Env: map[string]string{
				"CHECK_INTERVAL":             checkInterval,
				"CACHE_UPSTREAM":             `{{endpoints "dictionary"}}`,
				"CACHE_UPSTREAM_TLS":         "on",
				"CACHE_UPSTREAM_CA_FILE":     `{{pki "cache/internal-ca.crt"}}`,
				"CACHE_UPSTREAM_SERVER_NAME": "dictionary",
				"CACHE_POLICY_FILE":          `{{file "services/cache/policy/dictionary.yaml"}}`,
				"CACHE_TRUSTED_PROXIES":      "127.0.0.0/8",
				"CACHE_REDIS_ADDR":           `{{addr "redis"}}`,
				"CACHE_LIMIT_REPLICAS":       "2",
				"TLS_CERT_FILE":              `{{pki "cache/tls.crt"}}`,
				"TLS_KEY_FILE":               `{{pki "cache/tls.key"}}`,
			},
		},
		{
			Name: "edge", Package: "./services/edge/cmd/edge", Count: 2, Needs: []string{"cache"},
			Public: []topology.Public{{Name: "https", Variable: "LISTEN_ADDR"}, {Name: "http", Variable: "EDGE_HTTP_ADDR"}},
			Env: map[string]string{
				"CHECK_INTERVAL":          checkInterval,
				"EDGE_UPSTREAM_CACHE":     `{{endpoints "cache"}}`,
				"EDGE_CA_FILE":            `{{pki "edge/internal-ca.crt"}}`,
				"EDGE_PUBLIC_PORT":        `{{port "https"}}`,
				"EDGE_TICKET_SECRET_FILE": `{{secret "edge-tickets"}}`,
				"TLS_CERT_FILE":           `{{pki "edge/tls.crt"}}`,
				"TLS_KEY_FILE":            `{{pki "edge/tls.key"}}`,
			},
			With:      map[string]map[string]string{"search": {"EDGE_UPSTREAM_SEARCH": `{{endpoints "search"}}`}},
			Datagrams: &topology.Datagrams{Name: "http3", Variable: "EDGE_HTTP3_ADDR", Public: "https"},
		},
	}
}

// checkInterval is how often callers ask whether a replica is ready.
const checkInterval = "500ms"

// common are the parameters of every process of ours. DRAIN_DELAY is as long as
// callers take to move away: two checks and, by the process contract, one
// RESOLVE_INTERVAL (1s).
func common() map[string]string {
	return map[string]string{
		"ADMIN_TOKEN_FILE": `{{secret "admin-token"}}`,
		"DRAIN_DELAY":      "2s",
		"FAULTS":           "on", // this fleet is there to be broken
	}
}

// secrets are files with random content that the first start makes.
func secrets() []string {
	return []string{"admin-token", "edge-tickets", "config-token", "git-push-token", "git-hook-secret", "guestbook-database"}
}

// shared are the directories that {{shared}} leads to, below the one of all of
// them.
func shared() []string {
	return []string{"dictionary", "legacy/etc", "legacy/log", "legacy/run"}
}

package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// lookupsPod is an application with the ambassador of its sharded Redis:
//
//	lookups → redisshard → redis-shard × 3
//	   └────→ dictionary, for what Redis does not have
func lookupsPod() []topology.Service {
	return []topology.Service{
		{
			Name: "redis-shard", Package: "./infra/backends/redis/cmd/redis", Count: 3,
			Env: map[string]string{"DRAIN_DELAY": "0s"}, // nobody else has its keys
			Real: &topology.Real{
				Program: "redis-server",
				Args:    []string{"--port", `{{port "data"}}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", `{{private ""}}`},
				Ping:    "PING\r\n",
			},
		},
		{
			Name: "redisshard", Pod: "lookups", Package: "./ambassadors/redisshard/cmd/redisshard", Count: 1, Single: true, Needs: []string{"redis-shard"},
			Env: map[string]string{
				"REDISSHARD_SERVERS":       `{{addrs "redis-shard"}}`,
				"REDISSHARD_HASH":          shardHash,
				"REDISSHARD_TIMEOUT":       "400ms", // with the next one: of the book
				"REDISSHARD_FAILURE_LIMIT": "1",
				"DRAIN_DELAY":              "0s",
			},
		},
		{
			Name: "lookups", Package: "./ambassadors/redisshard/cmd/lookups", Count: 1, Needs: []string{"redisshard", "dictionary"},
			Env: map[string]string{
				"CHECK_INTERVAL":                 checkInterval,
				"LOOKUPS_REDIS_ADDR":             `{{addr "redisshard"}}`,
				"LOOKUPS_DICTIONARY":             `{{endpoints "dictionary"}}`,
				"LOOKUPS_DICTIONARY_TLS":         "on",
				"LOOKUPS_DICTIONARY_CA_FILE":     `{{pki "internal-ca.crt"}}`,
				"LOOKUPS_DICTIONARY_SERVER_NAME": "dictionary",
			},
		},
	}
}

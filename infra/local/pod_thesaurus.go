package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// thesaurusPod is an application with the ambassador of its sharded memcached, and
// the same program as a router that many applications could share:
//
//	thesaurus → memcacheshard → memcached × 3 ← shardrouter × 2
//	    └─────→ dictionary, for what memcached does not have
func thesaurusPod() []topology.Service {
	return []topology.Service{
		{
			Name: "memcached", Package: "./infra/backends/memcached/cmd/memcached", Count: 3,
			Env: map[string]string{"DRAIN_DELAY": "0s"}, // nobody else has its keys
			Real: &topology.Real{
				Program: "memcached",
				Args:    []string{"-p", `{{port "data"}}`, "-l", "127.0.0.1", "-U", "0", "-m", "64", "-u", "nobody"},
				Ping:    "version\r\n", Pong: "^VERSION ",
			},
		},
		{
			Name: "memcacheshard", Pod: "thesaurus", Package: "./ambassadors/memcacheshard/cmd/memcacheshard", Count: 1, Single: true, Needs: []string{"memcached"},
			Env: map[string]string{
				"MEMCACHESHARD_SERVERS": `{{addrs "memcached"}}`,
				"MEMCACHESHARD_HASH":    shardHash,
				"DRAIN_DELAY":           "0s",
			},
		},
		{
			Name: "shardrouter", Package: "./ambassadors/memcacheshard/cmd/memcacheshard", Count: 2, Needs: []string{"memcached"},
			Env: map[string]string{
				"MEMCACHESHARD_SERVERS": `{{addrs "memcached"}}`,
				"MEMCACHESHARD_HASH":    shardHash, // all who use the shards must agree
			},
		},
		{
			Name: "thesaurus", Package: "./ambassadors/memcacheshard/cmd/thesaurus", Count: 1, Needs: []string{"memcacheshard", "dictionary"},
			Env: map[string]string{
				"CHECK_INTERVAL":                   checkInterval,
				"THESAURUS_MEMCACHED_ADDR":         `{{addr "memcacheshard"}}`,
				"THESAURUS_DICTIONARY":             `{{endpoints "dictionary"}}`,
				"THESAURUS_DICTIONARY_TLS":         "on",
				"THESAURUS_DICTIONARY_CA_FILE":     `{{pki "internal-ca.crt"}}`,
				"THESAURUS_DICTIONARY_SERVER_NAME": "dictionary",
			},
		},
	}
}

// shardHash spreads keys that differ by little, as words do and numbers in a row.
const shardHash = "murmur"

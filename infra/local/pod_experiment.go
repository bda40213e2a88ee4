package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// experimentPod is the ambassador for experiments beside the serving path, and the next version of the
// dictionary, which it tries on some users. It is reached by its own address, so that nobody is in an experiment
// who did not go there:
//
//	reader → experiment → dictionary (TLS)
//	          ↑  └──────→ dictionary-next (TLS): its users, and copies
//	          file
//	client → configapi → etcd → configsync
func experimentPod() []topology.Service {
	return []topology.Service{
		{
			Name: "dictionary-next", Package: "./services/dictionary/cmd/dictionary", Count: 1, Needs: []string{"content"},
			Env: map[string]string{
				"DICTIONARY_DATA_URL":  `http://{{addr "content"}}/{{base "services/dictionary/data/*.bin.gz"}}`,
				"DICTIONARY_CACHE_DIR": `{{shared "dictionary"}}`,
				"DICTIONARY_MAX_AGE":   "1m", // what is new in it
				"TLS_CERT_FILE":        `{{pki "dictionary/tls.crt"}}`,
				"TLS_KEY_FILE":         `{{pki "dictionary/tls.key"}}`,
			},
		},
		{
			Name: "experiment-configsync", Pod: "experiment", Package: "./sidecars/configsync/cmd/configsync", Count: 1, Single: true, Needs: []string{"etcd"},
			Env: map[string]string{
				"CONFIGSYNC_ETCD_ENDPOINTS": `{{addrs "etcd"}}`,
				"CONFIGSYNC_KEY":            "/configs/experiments.yaml",
				"CONFIGSYNC_FILE":           `{{shared "experiment/experiments.yaml"}}`,
				"CONFIGSYNC_READY":          "always", // until somebody pushes a plan, and without etcd, production serves all
			},
		},
		{
			Name: "experiment", Package: "./ambassadors/experiment/cmd/experiment", Count: 1, Needs: []string{"experiment-configsync", "dictionary", "dictionary-next"},
			Env: map[string]string{
				"CHECK_INTERVAL":                 checkInterval,
				"EXPERIMENT_PRODUCTION":          `{{endpoints "dictionary"}}`,
				"EXPERIMENT_PRODUCTION_TLS_NAME": "dictionary",
				"EXPERIMENT_UPSTREAM_NEXT":       `{{endpoints "dictionary-next"}}`,
				"EXPERIMENT_CA_FILE":             `{{pki "internal-ca.crt"}}`,
				"EXPERIMENT_CONFIG_FILE":         `{{shared "experiment/experiments.yaml"}}`,
				"EXPERIMENT_COOKIE":              "experiment", // there is no TLS before it on this machine
				"EXPERIMENT_TRUSTED_PROXIES":     "127.0.0.0/8",
			},
		},
	}
}

package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// legacyPod is an old application, the sidecars that make up for what it lacks, and the
// adapter of its logs:
//
//	client → tlsproxy (TLS) → legacy (plain HTTP, loopback) → log files → lognorm
//	                            ↑ file, SIGHUP
//	client → configapi → etcd → configsync
//
// The containers of the pod share its network, its process numbers and three
// directories: etc (written by configsync), log and run (written by legacy).
func legacyPod() []topology.Service {
	return []topology.Service{
		{
			Name: "configsync", Pod: "legacy", Package: "./sidecars/configsync/cmd/configsync", Count: 1, Single: true, Needs: []string{"etcd"},
			Env: map[string]string{
				"CONFIGSYNC_ETCD_ENDPOINTS": `{{addrs "etcd"}}`,
				"CONFIGSYNC_KEY":            "/configs/legacy.ini",
				"CONFIGSYNC_FILE":           `{{shared "legacy/etc/legacy.ini"}}`,
				"CONFIGSYNC_SIGNAL":         "SIGHUP",
				"CONFIGSYNC_PID_FILE":       `{{shared "legacy/run/legacy.pid"}}`,
				"CONFIGSYNC_PROCESS":        "legacy",
				"CONFIGSYNC_READY":          "synced", // the application has a page of its own until somebody pushes one
			},
		},
		{
			Name: "legacy", Package: "./sidecars/tlsproxy/cmd/legacy", Count: 1, Single: true, Needs: []string{"configsync"},
			Env: map[string]string{
				"LEGACY_CONFIG_FILE": `{{shared "legacy/etc/legacy.ini"}}`,
				"LEGACY_LOG_DIR":     `{{shared "legacy/log"}}`,
				"LEGACY_PID_FILE":    `{{shared "legacy/run/legacy.pid"}}`,
			},
		},
		{
			Name: "tlsproxy", Pod: "legacy", Package: "./sidecars/tlsproxy/cmd/tlsproxy", Count: 1, Single: true, Needs: []string{"legacy"},
			Env: map[string]string{
				"PROXY_PORT":            `{{port "legacy"}}`,
				"CERTIFICATE_PATH":      `{{pki "legacy"}}`,
				"TLSPROXY_CONNECT_WAIT": "3s", // a container that is started again takes longer than the default
			},
		},
		// It sees the process table of the machine here, and so the whole fleet.
		{Name: "topz", Pod: "legacy", Package: "./sidecars/topz/cmd/topz", Count: 1, Single: true},
		{
			Name: "lognorm", Pod: "legacy", Package: "./adapters/lognorm/cmd/lognorm", Count: 1, Single: true, // the logs come when they come
			Env: map[string]string{
				"LOGNORM_FILES":      `{{shared "legacy/log"}}/*.log`,
				"LOGNORM_SERVICE":    "legacy",
				"LOGNORM_STATE_FILE": `{{private "state.json"}}`,
			},
		},
	}
}

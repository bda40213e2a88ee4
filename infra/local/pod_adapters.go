package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// adapters give what applications tell of themselves the form that all others
// have, each in the pod of its application:
//
//	redis ← redismetrics: its state as metrics
//	legacy → log files → lognorm: one format, on standard output
func adapters() []topology.Service {
	return []topology.Service{
		{
			Name: "redismetrics", Pod: "redis", Package: "./adapters/redismetrics/cmd/redismetrics", Count: 1, Single: true, Needs: []string{"redis"},
			Env: map[string]string{
				"REDISMETRICS_ADDR": `{{addr "redis"}}`,
			},
		},
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

package wiring

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// standard are variables that no program of ours declares, because the Go
// runtime or OpenTelemetry reads them.
func standard(variable string) bool {
	return variable == "GOMEMLIMIT" || variable == "GOMAXPROCS" || variable == "GODEBUG" || strings.HasPrefix(variable, "OTEL_")
}

// placement are the variables that say where a process is, rather than what it
// does: with them one wiring may differ from another.
var placement = map[string]string{
	"LISTEN_ADDR":                    "local processes share one network: free ports, or an inherited descriptor",
	"ADMIN_ADDR":                     "the same",
	"EDGE_HTTP_ADDR":                 "the same",
	"EDGE_HTTP3_ADDR":                "the same",
	"EDGE_PUBLIC_PORT":               "the port that clients see is the wiring's",
	"EDGE_TRUSTED_PROXIES":           "only some have a load balancer in front",
	"EDGE_TICKET_SECRET_FILE":        "a secret, where somebody makes one",
	"ADMIN_TOKEN_FILE":               "the same",
	"CACHE_MEMORY":                   "what the limit of the container leaves",
	"CONTENT_DIR":                    "the image has its files where the default says",
	"INSTANCE":                       "containers and pods have host names",
	"LOG_FORMAT":                     "people read the local log",
	"LOG_LEVEL":                      "the same",
	"FAULTS":                         "breaking things is for the machine of whoever learns from it",
	"HOTSHARDS_ORCHESTRATOR":         "each wiring has another one, or none",
	"HOTSHARDS_DRY_RUN":              "the same",
	"HOTSHARDS_RUNNER_SOCKET":        "the same",
	"HOTSHARDS_COLD_LOOKS":           "people watch the local fleet, and do not wait long",
	"HOTSHARDS_COOL_REST":            "the same",
	"REDISSHARD_SERVERS":             "each wiring names the members of a set in its own way",
	"MEMCACHESHARD_SERVERS":          "the same",
	"CONFIGAPI_ETCD_ENDPOINTS":       "the same",
	"CONFIGSYNC_ETCD_ENDPOINTS":      "the same",
	"OWNERSHIP_STORE_ETCD_ENDPOINTS": "the same",
	"SEARCHLEAF_DIR":                 "replicas of one service of compose cannot have a volume each; without it they read the log from its beginning",
	"OWNERSHIP_ADVERTISE":            "pods are reached by address, containers by host name",
	"CHECK_INTERVAL":                 "how fast news travels; the rule of the drain checks it",
	"RESOLVE_INTERVAL":               "the same",
	"BROKER_CHECK_INTERVAL":          "the same",
	"DRAIN_DELAY":                    "the same",
	"DRAIN_TIMEOUT":                  "the same",
}

// checkVariables: only variables that the program knows, with values of their
// type; required ones are there.
func checkVariables(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		program, ours := catalogue[p.Program]
		if !ours {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(p.Env)) {
			if standard(name) {
				continue
			}
			param, known := program.param(name)
			if !known {
				f.add("a variable that "+p.Program+" --help lists"+near(name, program), "it sets %s, which %s does not know", name, p.Program)
				continue
			}
			if wrong := invalid(param, p.Env[name]); wrong != "" {
				f.add(wrong, "%s is %q", name, p.Env[name])
			}
		}
		for _, param := range program.Params {
			if param.Required && program.value(p.Env, param.Name) == "" {
				f.add("set it: "+param.Doc, "the required %s is not set", param.Name)
			}
		}
	})
}

// near names the known variable that is most like a wrong one.
func near(name string, program Program) string {
	best, least := "", len(name)/2
	for _, param := range program.Params {
		if d := distance(name, param.Name); d <= least {
			best, least = param.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return ", perhaps " + best
}

// distance is the number of letters to change, add or drop (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := previous
			if a[i] != b[j] {
				change++
			}
			previous, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// invalid says what a value of the parameter's type must be like, or "". What
// is filled in at start by the wiring, as in "(fieldRef …)", is taken as good.
func invalid(param config.Param, value string) string {
	if value == "" || strings.HasPrefix(value, "(") {
		return ""
	}
	var err error
	right := "a value of type " + param.Type
	switch param.Type {
	case "duration":
		right = "a duration with its unit, as in 250ms"
		_, err = time.ParseDuration(value)
	case "size":
		right = "a size with its unit, as in 64MiB"
		var size config.Size
		err = size.UnmarshalText([]byte(value))
	case "number":
		_, err = strconv.ParseFloat(value, 64)
	case "integer":
		var level slog.Level // an integer that is written as a word
		if _, err = strconv.Atoi(value); err != nil {
			err = level.UnmarshalText([]byte(value))
		}
	case "boolean":
		if !slices.Contains([]string{"true", "false", "on", "off"}, value) {
			err = fmt.Errorf("no truth value")
		}
	}
	if err != nil {
		return right
	}
	return ""
}

// compareVariables: a process gets the same variables in both wirings; where
// both run containers, the same values.
func compareVariables(catalogue Catalogue, reference, other Fleet) []Finding {
	return each(other, func(p Process, f *findings) {
		same, found := reference.Find(p.Name)
		if _, ours := catalogue[p.Program]; !ours || !found || same.Program != p.Program || p.OneShot {
			return
		}
		both := maps.Clone(same.Env)
		maps.Copy(both, p.Env)
		for _, name := range slices.Sorted(maps.Keys(both)) {
			if _, may := placement[name]; may || standard(name) {
				continue
			}
			is, here := p.Env[name]
			want, there := same.Env[name]
			switch {
			case !here:
				f.add(fmt.Sprintf("%s=%s, as in %s", name, want, reference.Wiring), "%s is not set", name)
			case !there:
				f.add("set it in "+reference.Wiring+" too, or in neither", "it sets %s", name)
			case p.Security != nil && same.Security != nil && is != want:
				f.add(fmt.Sprintf("%s=%s, as in %s", name, want, reference.Wiring), "%s is %q", name, is)
			}
		}
	})
}

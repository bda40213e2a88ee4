package hotshards

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
)

// Program describes the process.
var Program = process.Program{
	Name:     "hotshards",
	About:    "gives hot shards more replicas, moves cold ones together, and back again",
	Calls:    []string{"administration of the sharding proxies: HTTP", "runner of the local fleet: its control socket, or API server of Kubernetes: HTTPS"},
	Families: map[string]string{prefix: "addresses that the file of shards refers to as ${HOTSHARDS_UPSTREAM_…}"},
}

// Config is the environment of the process.
type Config struct {
	process.Contract

	ConfigFile string           `env:"HOTSHARDS_CONFIG_FILE,required" doc:"YAML file of the shards: where their replicas are, and how many there may be"`
	Proxies    upstream.Address `env:"HOTSHARDS_PROXIES,required" doc:"sharding proxies, with their administration ports: host:port/adminport,… or dns:name:port/adminport or file:path"`
	TokenFile  string           `env:"HOTSHARDS_PROXY_TOKEN_FILE" doc:"file with the administration token of the proxies; none is sent when empty"`

	Orchestrator Orchestrator  `env:"HOTSHARDS_ORCHESTRATOR,required" doc:"who keeps the replicas running: local, kubernetes, or none: replicas are counted at the proxies, and HOTSHARDS_DRY_RUN is on"`
	Socket       string        `env:"HOTSHARDS_RUNNER_SOCKET" doc:"control socket of the runner of the local fleet; required with local"`
	KubeURL      string        `env:"HOTSHARDS_KUBE_URL" envDefault:"https://kubernetes.default.svc" doc:"API server"`
	Account      string        `env:"HOTSHARDS_KUBE_ACCOUNT_DIR" envDefault:"/var/run/secrets/kubernetes.io/serviceaccount" doc:"folder with token, ca.crt and namespace of the service account, token and ca.crt read again when they change"`
	Namespace    string        `env:"HOTSHARDS_KUBE_NAMESPACE" doc:"namespace of the shards; that of the service account when empty"`
	Kind         Kind          `env:"HOTSHARDS_KUBE_KIND" envDefault:"statefulset" doc:"what a service of the file is in Kubernetes when it is a name alone: statefulset or deployment"`
	Timeout      time.Duration `env:"HOTSHARDS_TIMEOUT" envDefault:"2s" doc:"for a question to the orchestrator, and for a look at all proxies"`
	ScaleTimeout time.Duration `env:"HOTSHARDS_SCALE_TIMEOUT" envDefault:"90s" doc:"for one change: as long as the runner may take to start a replica, or to drain one; a move has it for each proxy"`

	DryRun process.Switch `env:"HOTSHARDS_DRY_RUN" envDefault:"off" doc:"on: tell decisions, and carry none out"`

	Interval  time.Duration  `env:"HOTSHARDS_INTERVAL" envDefault:"1s" doc:"time between two looks"`
	Hot       float64        `env:"HOTSHARDS_HOT" envDefault:"1.5" doc:"a shard is hot when each of its replicas gets this many times the mean of the other shards"`
	Cool      float64        `env:"HOTSHARDS_COOL" envDefault:"1.1" doc:"what more replicas aim at, and what one replica less must keep; below HOTSHARDS_HOT"`
	Part      float64        `env:"HOTSHARDS_PART" envDefault:"0.9" doc:"two shards that share replicas part when each replica gets this many times the mean of the others"`
	Cold      float64        `env:"HOTSHARDS_COLD" envDefault:"0.5" doc:"two shards may share replicas of which each gets no more than this; below HOTSHARDS_PART"`
	Floor     float64        `env:"HOTSHARDS_FLOOR" envDefault:"20" doc:"requests per second that are nothing to a replica: the mean of the others counts as at least this"`
	Late      float64        `env:"HOTSHARDS_LATE" envDefault:"1.3" doc:"a shard that is nearly hot is hot when its 99th percentile is this many times that of the others"`
	LateFloor time.Duration  `env:"HOTSHARDS_LATE_FLOOR" envDefault:"20ms" doc:"a 99th percentile below this is never late"`
	HotLooks  int            `env:"HOTSHARDS_HOT_LOOKS" envDefault:"3" doc:"looks in a row before something is added"`
	ColdLooks int            `env:"HOTSHARDS_COLD_LOOKS" envDefault:"30" doc:"looks in a row before something is taken away"`
	GrowRest  time.Duration  `env:"HOTSHARDS_GROW_REST" envDefault:"10s" doc:"after any change, before something is added"`
	CoolRest  time.Duration  `env:"HOTSHARDS_COOL_REST" envDefault:"60s" doc:"after any change, before something is taken away"`
	Step      int            `env:"HOTSHARDS_STEP" envDefault:"4" doc:"most replicas added at once"`
	Budget    int            `env:"HOTSHARDS_BUDGET" envDefault:"16" doc:"most replicas of all shards together"`
	Idle      int            `env:"HOTSHARDS_IDLE_REPLICAS" envDefault:"1" doc:"replicas that a shard keeps while another one's serve it; the local runner needs 1"`
	Share     process.Switch `env:"HOTSHARDS_SHARE" envDefault:"on" doc:"off: cold shards are not moved together"`
	History   int            `env:"HOTSHARDS_HISTORY" envDefault:"256" doc:"decisions that are remembered"`

	// Lookup gives the values of the HOTSHARDS_UPSTREAM_ variables; nil: the environment.
	Lookup func(name string) (string, bool) `env:"-"`
}

// An Orchestrator keeps replicas running.
type Orchestrator string

// The orchestrators.
const (
	Local      Orchestrator = "local"
	Kubernetes Orchestrator = "kubernetes"
	None       Orchestrator = "none"
)

// UnmarshalText takes the name of one.
func (o *Orchestrator) UnmarshalText(text []byte) error {
	if *o = Orchestrator(text); *o != Local && *o != Kubernetes && *o != None {
		return fmt.Errorf("want %s, %s or %s", Local, Kubernetes, None)
	}
	return nil
}

// A Kind of workload.
type Kind string

// UnmarshalText takes the name of one.
func (k *Kind) UnmarshalText(text []byte) error {
	if *k = Kind(text); *k != "statefulset" && *k != "deployment" {
		return errors.New("want statefulset or deployment")
	}
	return nil
}

// validate finds what the types cannot express.
func (c *Config) validate() error {
	var wrong config.Error
	for _, d := range []struct {
		name        string
		value, most time.Duration
	}{{"HOTSHARDS_TIMEOUT", c.Timeout, time.Minute}, {"HOTSHARDS_SCALE_TIMEOUT", c.ScaleTimeout, time.Hour}, {"HOTSHARDS_INTERVAL", c.Interval, time.Hour}} {
		wrong.Invalid(d.value <= 0 || d.value > d.most, d.name, d.value, fmt.Sprintf("more than 0s, at most %s", d.most))
	}
	wrong.Invalid(c.CoolRest < c.GrowRest, "HOTSHARDS_COOL_REST", c.CoolRest, "no less than HOTSHARDS_GROW_REST: what is added in haste is taken away at leisure")
	// Written so that NaN is wrong, too.
	wrong.Invalid(!(c.Cold > 0 && c.Cold < c.Part), "HOTSHARDS_COLD", c.Cold, "more than 0, less than HOTSHARDS_PART")
	wrong.Invalid(!(c.Part <= c.Cool), "HOTSHARDS_PART", c.Part, "at most HOTSHARDS_COOL")
	wrong.Invalid(!(c.Cool >= 1 && c.Cool < c.Hot), "HOTSHARDS_COOL", c.Cool, "at least 1, less than HOTSHARDS_HOT")
	wrong.Invalid(!(c.Hot <= 100), "HOTSHARDS_HOT", c.Hot, "at most 100")
	wrong.Invalid(!(c.Late > 1 && c.Late <= 100), "HOTSHARDS_LATE", c.Late, "more than 1, at most 100")
	wrong.Invalid(!(c.Floor > 0 && c.Floor <= 1e9), "HOTSHARDS_FLOOR", c.Floor, "more than 0")
	for _, n := range []struct {
		name             string
		value, min, most int
	}{{"HOTSHARDS_HOT_LOOKS", c.HotLooks, 1, 10_000}, {"HOTSHARDS_COLD_LOOKS", c.ColdLooks, 1, 10_000}, {"HOTSHARDS_STEP", c.Step, 1, maxReplicas},
		{"HOTSHARDS_BUDGET", c.Budget, 1, maxShards * maxReplicas}, {"HOTSHARDS_HISTORY", c.History, 1, 10_000}, {"HOTSHARDS_IDLE_REPLICAS", c.Idle, c.leastIdle(), maxReplicas}} {
		wrong.Invalid(n.value < n.min || n.value > n.most, n.name, n.value, fmt.Sprintf("%d to %d", n.min, n.most))
	}
	switch c.Orchestrator {
	case Local:
		wrong.Invalid(c.Socket == "", "HOTSHARDS_RUNNER_SOCKET", `""`, "the control socket of the runner, with HOTSHARDS_ORCHESTRATOR=local")
	case None:
		wrong.Invalid(!bool(c.DryRun), "HOTSHARDS_DRY_RUN", "off", "on, with HOTSHARDS_ORCHESTRATOR=none: there is nobody to carry out a decision")
	case Kubernetes:
		if err := kube.CheckURL(c.KubeURL); err != nil {
			wrong.Add("HOTSHARDS_KUBE_URL", "%.80q is not valid: %v", c.KubeURL, err)
		}
	}
	return wrong.Err()
}

// leastIdle is the fewest replicas that the orchestrator can keep.
func (c *Config) leastIdle() int {
	if c.Orchestrator == Local {
		return 1
	}
	return 0
}

func (c *Config) policy() decide.Policy {
	return decide.Policy{
		Hot: c.Hot, Cool: c.Cool, Part: c.Part, Cold: c.Cold, Floor: c.Floor, Late: c.Late, LateFloor: c.LateFloor,
		HotLooks: c.HotLooks, ColdLooks: c.ColdLooks, GrowRest: c.GrowRest, CoolRest: c.CoolRest,
		Step: c.Step, Budget: c.Budget, Idle: c.Idle, Share: bool(c.Share),
	}
}

// lookup gives the values that the file refers to.
func (c *Config) lookup() func(string) (string, bool) {
	if c.Lookup != nil {
		return c.Lookup
	}
	return os.LookupEnv
}

package hotshards

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/yamlfile"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas"
)

// prefix of the variables that the file may refer to as ${NAME}, as the whole of an address.
const prefix = "HOTSHARDS_UPSTREAM_"

// The bounds of a file.
const (
	maxShards   = 256
	maxReplicas = 64 // of a shard
)

// A shard is an entry of the file.
type shard struct {
	Name     string `yaml:"name"`     // as the layout of the proxies has it
	Service  string `yaml:"service"`  // what the orchestrator scales
	Replicas string `yaml:"replicas"` // where its own replicas are, as the layout has it
	Min      int    `yaml:"min"`
	Max      int    `yaml:"max"`
}

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9._:/\[\]-]{1,128}$`)
	validWord = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	variable  = regexp.MustCompile(`^\$\{([A-Z0-9_]+)\}$`)
)

// parseFile reads the file of shards. The error names every mistake.
func parseFile(content []byte, c *Config) ([]shard, error) {
	var f struct {
		Shards []shard `yaml:"shards"`
	}
	wrong, err := yamlfile.Decode(content, &f)
	if err != nil {
		return nil, fmt.Errorf("file of shards: %w", err)
	}
	if n := len(f.Shards); n < 1 || n > maxShards {
		wrong = append(wrong, fmt.Errorf("shards: there are %d: want 1 to %d", n, maxShards))
		f.Shards = nil
	}
	seen := map[string]bool{}
	for i := range f.Shards {
		s := &f.Shards[i]
		at := fmt.Sprintf("shards[%d] %.40s", i, s.Name)
		for _, mistake := range s.check(c) {
			wrong = append(wrong, fmt.Errorf("%s: %w", at, mistake))
		}
		for what, value := range map[string]string{"name": s.Name, "service": s.Service, "replicas": s.Replicas} {
			if seen[what+" "+value] {
				wrong = append(wrong, fmt.Errorf("%s: another shard has the %s %.100s, too", at, what, value))
			}
			seen[what+" "+value] = true
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("file of shards: %w", errors.Join(wrong...))
	}
	return f.Shards, nil
}

// check finds mistakes, and replaces a variable by its value, and a name by that of its kind.
func (s *shard) check(c *Config) (wrong []error) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !validName.MatchString(s.Name) {
		bad("name %.100q: want 1 to 128 letters, digits and . _ : / [ ] -", s.Name)
	}
	if plain := validWord.MatchString(s.Service); c.Orchestrator != Kubernetes && !plain {
		bad("service %.100q: want the name of a service, such as cache-a", s.Service)
	} else if c.Orchestrator == Kubernetes && plain {
		s.Service = string(c.Kind) + "/" + s.Service
	}
	if c.Orchestrator == Kubernetes && !replicas.Service.MatchString(s.Service) {
		bad("service %.100q: want a name, or deployment/name or statefulset/name", s.Service)
	}
	if s.Min < 1 || s.Min > s.Max || s.Max > maxReplicas {
		bad("min %d, max %d: want 1 ≤ min ≤ max ≤ %d", s.Min, s.Max, maxReplicas)
	}
	if m := variable.FindStringSubmatch(s.Replicas); m != nil {
		value, set := c.lookup()(m[1])
		if !strings.HasPrefix(m[1], prefix) || !set {
			bad("replicas %.100s: want a variable that is set and begins with %s", s.Replicas, prefix)
			return wrong
		}
		s.Replicas = value
	}
	if _, err := upstream.Parse(s.Replicas); err != nil {
		bad("replicas: %.300s", err)
	}
	return wrong
}

// checkBudget demands that every shard can have its least replicas: otherwise one that is a guest could never go home.
func checkBudget(shards []shard, budget int) error {
	least := 0
	for _, s := range shards {
		least += s.Min
	}
	if least > budget {
		return fmt.Errorf("HOTSHARDS_BUDGET: %d replicas are fewer than the least of all shards together, %d", budget, least)
	}
	return nil
}

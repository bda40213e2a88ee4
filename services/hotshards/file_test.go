package hotshards

import (
	"strings"
	"testing"
)

// local is a configuration without variables.
func local() *Config {
	return &Config{Orchestrator: Local, Lookup: func(string) (string, bool) { return "", false }}
}

func TestEveryMistakeOfTheFileIsNamed(t *testing.T) {
	_, err := parseFile([]byte(`
shards:
- {name: a, service: cache-a, replicas: "file:/a", min: 3, max: 2}
- {name: a, service: cache-a, replicas: "file:/a", min: 1, max: 65, colour: red}
- {name: "b b", service: deployment/b, replicas: "${HOTSHARDS_UPSTREAM_B}", min: 1, max: 2}
- {name: c, service: cache-c, replicas: "${HOME}", min: 0, max: 2}
- {name: d, service: cache-d, replicas: "nowhere", min: 1, max: 2}
`), &Config{Orchestrator: Local, Lookup: func(name string) (string, bool) { return "file:/b", name == "HOTSHARDS_UPSTREAM_B" }})
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"min 3, max 2", "max 65", "colour", "shards[1] a: another shard has the name a", "another shard has the service cache-a", "another shard has the replicas file:/a",
		`name "b b"`, `service "deployment/b"`, "replicas ${HOME}: want a variable that is set and begins with HOTSHARDS_UPSTREAM_", "min 0", "shards[4] d: replicas:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestServicesAreNamedAsTheOrchestratorNamesThem(t *testing.T) {
	file := func(service string) []byte {
		return []byte(`shards: [{name: a, service: "` + service + `", replicas: "${HOTSHARDS_UPSTREAM_A}", min: 1, max: 2}]`)
	}
	cluster := &Config{Orchestrator: Kubernetes, Kind: "statefulset", Lookup: func(string) (string, bool) { return "dns:cache-a:8081/9081", true }}
	for service, want := range map[string]string{"deployment/cache-a": "deployment/cache-a", "statefulset/cache.a": "statefulset/cache.a", "cache-a": "statefulset/cache-a"} {
		shards, err := parseFile(file(service), cluster)
		if err != nil || shards[0].Replicas != "dns:cache-a:8081/9081" || shards[0].Service != want {
			t.Errorf("%s: %+v, %v", service, shards, err)
		}
	}
	for _, service := range []string{"daemonset/a", "deployment/", "deployment/a/b", "deployment/../a", "deployment/A"} {
		if _, err := parseFile(file(service), cluster); err == nil {
			t.Errorf("%s was taken", service)
		}
	}
}

func TestTheBudgetIsEnoughForTheLeastOfAll(t *testing.T) {
	shards, err := parseFile([]byte(threeShards), local())
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBudget(shards, 5); err == nil || !strings.Contains(err.Error(), "6") {
		t.Errorf("five: %v", err)
	}
	if err := checkBudget(shards, 6); err != nil {
		t.Error(err)
	}
}

// A file that is taken has what the controller relies on.
func FuzzFile(f *testing.F) {
	f.Add([]byte(threeShards))
	f.Add([]byte("shards:\n- {name: a, service: a, replicas: '${HOTSHARDS_UPSTREAM_}', min: 1, max: 1}"))
	f.Add([]byte("shards: &a\n- *a"))
	f.Fuzz(func(t *testing.T, content []byte) {
		shards, err := parseFile(content, local())
		if err != nil {
			return
		}
		if len(shards) < 1 || len(shards) > maxShards {
			t.Fatalf("%d shards", len(shards))
		}
		names := map[string]bool{}
		for _, s := range shards {
			if s.Min < 1 || s.Max < s.Min || s.Max > maxReplicas || s.Name == "" || s.Service == "" || s.Replicas == "" || names[s.Name] {
				t.Fatalf("%+v", s)
			}
			names[s.Name] = true
		}
	})
}

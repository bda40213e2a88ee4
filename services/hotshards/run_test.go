package hotshards

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads/loadstest"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas/replicatest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// adminPort is a proxy as HOTSHARDS_PROXIES has it. The data port is not used.
func adminPort(p *loadstest.Proxy) string {
	return p.Addr + "/" + p.Addr[strings.LastIndex(p.Addr, ":")+1:]
}

// quick is a configuration with which a test does not wait for long.
func quick(p *loadstest.Proxy) map[string]string {
	return map[string]string{
		"HOTSHARDS_PROXIES": adminPort(p), "HOTSHARDS_INTERVAL": "20ms", "HOTSHARDS_GROW_REST": "0s", "HOTSHARDS_COOL_REST": "1h", "HOTSHARDS_HOT_LOOKS": "1",
	}
}

func proxy(t *testing.T) *loadstest.Proxy {
	return loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a", Rate: 400}, loadstest.Shard{Name: "b", Replicas: "file:/b", Rate: 100}, loadstest.Shard{Name: "c", Replicas: "file:/c", Rate: 100})
}

func run(t *testing.T, env map[string]string) *processtest.Running {
	t.Helper()
	cfg := defaults(t, env)
	return processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
}

// answer asks until an answer is as it should be, and returns it.
func answer(t *testing.T, url, what string, is func(status int, body string) bool) (body string) {
	t.Helper()
	await.Seen(t, url+": "+what, func() (any, bool) {
		resp, text := processtest.Get(t, url)
		body = text
		return resp.Status + " " + body, is(resp.StatusCode, body)
	})
	return body
}

func TestWithoutALookThereIsAProblemAndNoReadiness(t *testing.T) {
	env := quick(proxy(t))
	env["HOTSHARDS_PROXIES"] = nettest.Refuse(t) + "/1"
	r := run(t, env)
	for _, path := range []string{"/v1/shards", "/v1/plan", "/"} {
		if resp, body := processtest.Get(t, "http://"+r.Data+path); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "loads-unknown") || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, body := processtest.Get(t, "http://"+r.Data+"/v1/decisions"); resp.StatusCode != http.StatusOK || strings.TrimSpace(body) != `{"decisions":[]}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	answer(t, "http://"+r.Admin+"/readyz", "not ready with a reason", func(status int, body string) bool {
		return status == http.StatusServiceUnavailable && strings.Contains(body, "a sharding proxy does not answer")
	})
	if resp, _ := processtest.Get(t, "http://"+r.Admin+"/livez"); resp.StatusCode != http.StatusOK {
		t.Error("it is not live: a restart would not help")
	}
}

func TestAHotShardOfTheLocalFleetIsScaled(t *testing.T) {
	runner := replicatest.StartRunner(t)
	for _, service := range []string{"cache-a", "cache-b", "cache-c"} {
		runner.Set(service, 2, 2)
	}
	env := quick(proxy(t))
	env["HOTSHARDS_RUNNER_SOCKET"] = runner.Socket
	r := run(t, env)
	body := answer(t, "http://"+r.Data+"/v1/decisions", "applied", func(_ int, body string) bool { return strings.Contains(body, `"applied"`) })
	var decisions struct{ Decisions []record }
	if err := json.Unmarshal([]byte(body), &decisions); err != nil {
		t.Fatal(err)
	}
	if d := decisions.Decisions[0]; d.Kind != "grow" || d.Shard != "a" || d.From != 2 || d.To != 6 || d.Numbers.Ratio != 4 || len(d.Reasons) == 0 {
		t.Errorf("%+v", d)
	}
	if want, _ := runner.Get("cache-a"); want != 6 {
		t.Errorf("%d replicas", want)
	}
	answer(t, "http://"+r.Admin+"/readyz", "ready", func(status int, _ string) bool { return status == http.StatusOK })
	// The decision is known before the next look sees what became of it.
	answer(t, "http://"+r.Data+"/v1/shards", "six of six", func(_ int, body string) bool { return strings.Contains(body, `"ordered":6,"ready":6`) })
	answer(t, "http://"+r.Data+"/v1/plan", "nothing more", func(_ int, body string) bool { return strings.Contains(body, `"next":null`) })
	body = answer(t, "http://"+r.Data+"/", "a page", func(status int, _ string) bool { return status == http.StatusOK })
	for _, want := range []string{"<td>a<td>active<td>a<td class=\"n\">6/6 of 2–8", "shard a: 2 replicas become 6<td>applied", "hot is 1.50 times"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
	// A scrape that takes too long on a slow machine is answered with 503.
	metrics := answer(t, "http://"+r.Admin+"/metrics", "metrics", func(status int, _ string) bool { return status == http.StatusOK })
	for _, want := range []string{`hotshards_decisions_total{kind="grow",outcome="applied"} 1`, `hotshards_shard_replicas{shard="a",state="ready"} 6`, "hotshards_blocked 0", "hotshards_budget_replicas 16"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
	for path, want := range map[string]int{"/v1/decisions?limit=1": 200, "/v1/decisions?limit=0": 400, "/v1/decisions?limit=x": 400, "/v1/nothing": 404, "/page.css": 200, "/v1/openapi.yaml": 200} {
		if resp, _ := processtest.Get(t, "http://"+r.Data+path); resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

func TestAHotShardOfKubernetesIsScaled(t *testing.T) {
	kube := replicatest.StartKubernetes(t)
	env := quick(proxy(t))
	file := filepath.Join(t.TempDir(), "shards.yaml")
	var text strings.Builder
	text.WriteString("shards:\n")
	for _, name := range []string{"a", "b", "c"} {
		kube.Set("statefulset/cache-"+name, 1, 1)
		text.WriteString("- {name: " + name + ", service: statefulset/cache-" + name + ", replicas: 'file:/" + name + "', min: 1, max: 8}\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	env["HOTSHARDS_CONFIG_FILE"], env["HOTSHARDS_ORCHESTRATOR"], env["HOTSHARDS_KUBE_URL"], env["HOTSHARDS_KUBE_ACCOUNT_DIR"] = file, "kubernetes", kube.URL, kube.Account
	r := run(t, env)
	answer(t, "http://"+r.Data+"/v1/decisions", "applied", func(_ int, body string) bool { return strings.Contains(body, `"applied"`) })
	if want, _ := kube.Get("statefulset/cache-a"); want != 4 {
		t.Errorf("%d replicas", want)
	}
	// Until they are ready the group is left alone.
	answer(t, "http://"+r.Data+"/v1/shards", "one of four ready", func(_ int, body string) bool { return strings.Contains(body, `"ordered":4,"ready":1`) })
}

func TestWithoutAnOrchestratorDecisionsAreTold(t *testing.T) {
	env := quick(proxy(t))
	env["HOTSHARDS_ORCHESTRATOR"] = "none"
	if err := Run(t.Context(), defaults(t, env)); err == nil || !strings.Contains(err.Error(), "HOTSHARDS_DRY_RUN") {
		t.Errorf("with nobody to carry out a decision: %v", err)
	}
	file := filepath.Join(t.TempDir(), "shards.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(threeShards, "min: 2", "min: 1")), 0o600); err != nil {
		t.Fatal(err)
	}
	env["HOTSHARDS_CONFIG_FILE"], env["HOTSHARDS_DRY_RUN"] = file, "on"
	r := run(t, env)
	body := answer(t, "http://"+r.Data+"/v1/decisions", "told", func(_ int, body string) bool { return strings.Contains(body, `"dry-run"`) })
	if !strings.Contains(body, "shard a: 1 replicas become 4") { // the proxy has one replica of each
		t.Errorf("%s", body)
	}
}

func TestAProcessThatEndsDuringAChangeEnds(t *testing.T) {
	runner := replicatest.StartRunner(t)
	for _, service := range []string{"cache-a", "cache-b", "cache-c"} {
		runner.Set(service, 2, 2)
	}
	defer runner.Hold()()
	env := quick(proxy(t))
	env["HOTSHARDS_RUNNER_SOCKET"] = runner.Socket
	r := run(t, env)
	answer(t, "http://"+r.Data+"/v1/plan", "busy", func(_ int, body string) bool { return strings.Contains(body, `"busy":"another change`) })
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

func TestWrongValuesAreNamedTogether(t *testing.T) {
	cfg := defaults(t, map[string]string{
		"HOTSHARDS_COLD": "0.9", "HOTSHARDS_HOT": "1", "HOTSHARDS_PART": "1.2", "HOTSHARDS_COOL": "NaN", "HOTSHARDS_LATE": "1", "HOTSHARDS_FLOOR": "0", "HOTSHARDS_HOT_LOOKS": "0",
		"HOTSHARDS_COOL_REST": "1s", "HOTSHARDS_INTERVAL": "0s", "HOTSHARDS_IDLE_REPLICAS": "0", "HOTSHARDS_RUNNER_SOCKET": "", "HOTSHARDS_STEP": "65", "HOTSHARDS_BUDGET": "0",
	})
	err := Run(t.Context(), cfg)
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{"_COOL:", "_PART", "_LATE:", "_FLOOR", "_HOT_LOOKS", "_COOL_REST", "_INTERVAL", "_IDLE_REPLICAS", "_RUNNER_SOCKET", "_STEP", "_BUDGET"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in\n%v", want, err)
		}
	}
	cfg = defaults(t, map[string]string{"HOTSHARDS_ORCHESTRATOR": "kubernetes", "HOTSHARDS_KUBE_URL": "http://plain"})
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "HOTSHARDS_KUBE_URL") {
		t.Errorf("plain HTTP: %v", err)
	}
}

package wiring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	composeFileName = "docker-compose.yml"
	baseDir         = "infra/kubernetes/base/"
)

// mutations are mistakes that somebody might make in one of the wirings, and
// what must be said about each.
var mutations = []struct {
	name, file, is, becomes string
	want                    string // a whole finding
}{
	{
		"a misspelt variable in compose", composeFileName, "CACHE_UPSTREAM_TLS:", "CACHE_UPSTREM_TLS:",
		"compose, cache: it sets CACHE_UPSTREM_TLS, which cache does not know; right would be: a variable that cache --help lists, perhaps CACHE_UPSTREAM_TLS",
	},
	{
		"a misspelt variable in the manifests", baseDir + "dictionary/deployment.yaml", "TLS_KEY_FILE", "TLS_KEYFILE",
		"kubernetes/local, dictionary: it sets TLS_KEYFILE, which dictionary does not know; right would be: a variable that dictionary --help lists, perhaps TLS_KEY_FILE",
	},
	{
		"a variable of a family that nobody else sets", baseDir + "edge/deployment.yaml", "EDGE_UPSTREAM_CACHE,", "EDGE_UPSTREAM_CASH,",
		"kubernetes/production, edge: EDGE_UPSTREAM_CACHE is not set; right would be: EDGE_UPSTREAM_CACHE=dns:cache:8081/9081, as in compose",
	},
	{
		"a value without its unit", composeFileName, "GOMEMLIMIT: 128MiB", "DRAIN_DELAY: 3000",
		`compose, dictionary: DRAIN_DELAY is "3000"; right would be: a duration with its unit, as in 250ms`,
	},
	{
		"a value that differs", composeFileName, "/var/lib/dictionary\n", "/var/lib/words\n",
		`kubernetes/local, dictionary: DICTIONARY_CACHE_DIR is "/var/lib/dictionary"; right would be: DICTIONARY_CACHE_DIR=/var/lib/words, as in compose`,
	},
	{
		"an address with the wrong port", baseDir + "cache/deployment.yaml", "dns:dictionary:8080/9080", "dns:dictionary:8080/9081",
		"kubernetes/local, cache: CACHE_UPSTREAM goes to port 9081 as the admin port of dictionary; right would be: 9080",
	},
	{
		"an address of nobody", composeFileName, "dns:cache:8081", "dns:cash:8081",
		`compose, edge: EDGE_UPSTREAM_CACHE leads to "cash", which is no process; right would be: one of `,
	},
	{
		"another name for a port", baseDir + "cache/deployment.yaml", "name: admin, containerPort", "name: management, containerPort",
		"kubernetes/local, cache: its listener admin is not among its ports; right would be: name it: admin 9081/tcp",
	},
	{
		"a probe on another path", baseDir + "cache/deployment.yaml", "/readyz", "/ready",
		`kubernetes/local, cache: its readiness probe is "admin/ready"; right would be: admin/readyz`,
	},
	{
		"a grace period that is too short", baseDir + "cache/deployment.yaml", "terminationGracePeriodSeconds: 20", "terminationGracePeriodSeconds: 13",
		"kubernetes/local, cache: it is killed 13s after it is asked to stop; right would be: more than DRAIN_DELAY + DRAIN_TIMEOUT = 13s",
	},
	{
		"callers that notice too late", composeFileName, "CACHE_UPSTREAM_TLS:", "CHECK_INTERVAL: 5s\n      CACHE_UPSTREAM_TLS:",
		"compose, dictionary: its DRAIN_DELAY is 3s; right would be: at least 2 × CHECK_INTERVAL + RESOLVE_INTERVAL of cache = 11s",
	},
	{
		"a roll-out that is faster than DNS", baseDir + "dictionary/deployment.yaml", "minReadySeconds: 35", "minReadySeconds: 5",
		"kubernetes/production, dictionary: a new replica is ready for 5s before an old one goes; right would be: at least 31s: only then have all callers learnt of the new one by DNS (CACHE_UPSTREAM of cache)",
	},
	{
		"a roll-out that does not heed the wait", baseDir + "searchleaf/searchleaf-a.yaml", "podManagementPolicy: OrderedReady", "podManagementPolicy: Parallel",
		"kubernetes/local, searchleaf-a: a new replica is ready for 0s before an old one goes; right would be: at least 31s: only then have all callers learnt of the new one by DNS (SEARCH_UPSTREAM_A of search)",
	},
	{
		"a Service that leads nowhere", baseDir + "edge/service.yaml", "targetPort: http3", "targetPort: quic",
		"kubernetes/local, edge: the port http3 443/udp of its Service leads to \"quic\"; right would be: the same name for both, one of admin 9443/tcp, data 8443/tcp, http 8088/tcp, http3 8443/udp",
	},
	{
		"a root file system that can be written", composeFileName, "read_only: true", "read_only: false",
		"compose, content: its root file system can be written; right would be: read-only",
	},
	{
		"no limit", baseDir + "content/deployment.yaml", "limits: {cpu: 500m, memory: 64Mi}", "limits: {cpu: 500m}",
		"kubernetes/local, content: its memory has no limit; right would be: a limit",
	},
	{
		"a network policy that forgets the checks of health", baseDir + "cache/network-policy.yaml", "    - {protocol: TCP, port: admin}\n  egress", "  egress",
		"kubernetes/local, edge: its network does not let edge → cache:9081/tcp through; right would be: allow it, or do not call",
	},
	{
		"a network policy that lets too much through", baseDir + "content/network-policy.yaml", "port: data", "port: admin",
		"kubernetes/local, dictionary: its network does not let dictionary → content:8082/tcp through; right would be: allow it, or do not call",
	},
	{
		"networks that let too much through", composeFileName, "networks: [service, tier, shared]", "networks: [service, tier, shared, data]",
		"compose, cache: its network lets cache → content:8082/tcp through, which nobody calls; right would be: refuse it",
	},
	{
		"a start that is not gated", composeFileName, "      cache: {condition: service_healthy}\n", "      cache: {condition: service_started}\n",
		"compose, edge: it calls cache (EDGE_UPSTREAM_CACHE) and waits for pki only; right would be: wait until it is healthy",
	},
	{
		"another policy of the cache", baseDir + "cache/policy.yaml", "grace: 30s", "grace: 31s",
		"kubernetes/local, cache: the file of CACHE_POLICY_FILE (/etc/flotilla/policy.yaml) has another content; right would be: the content that compose gives it",
	},
	{
		"another placement of the shards", baseDir + "shardproxy/shards.yaml", "function: nginx", "function: ketama",
		"kubernetes/local, shardproxy: the file of SHARDPROXY_CONFIG_FILE (/etc/flotilla/shards.yaml) has another content; right would be: the content that compose gives it",
	},
	{
		"data that the program does not expect", composeFileName, "wordnet-3.0.a9d012780827e9d9", "wordnet-3.0.0000000000000000",
		"compose, dictionary: DICTIONARY_DATA_URL leads to wordnet-3.0.0000000000000000.bin.gz; right would be: wordnet-3.0.a9d012780827e9d9.bin.gz, as dictionary --help says",
	},
	{
		"a member of etcd that is not told", composeFileName, "ENDPOINTS: etcd-1:2379,etcd-2:2379,etcd-3:2379", "ENDPOINTS: etcd-1:2379,etcd-3:2379",
		"compose, configapi: CONFIGAPI_ETCD_ENDPOINTS names 2 of the members of etcd; right would be: all 3",
	},
	{
		"a member of etcd too few", baseDir + "etcd/stateful-set.yaml", "replicas: 3", "replicas: 2",
		"kubernetes/local, configapi: CONFIGAPI_ETCD_ENDPOINTS names 3 of the members of etcd; right would be: all 2",
	},
	{
		"fewer replicas than elsewhere", baseDir + "ownership/deployment.yaml", "replicas: 3", "replicas: 2",
		"kubernetes/local, ownership: there are 2 of it; right would be: 3, as in compose",
	},
	{
		"a cluster without a budget", baseDir + "etcd/kustomization.yaml", "- disruption-budget.yaml\n", "",
		"kubernetes/local, etcd: nothing keeps a drain of nodes from taking all replicas; right would be: a PodDisruptionBudget",
	},
	{
		"a process that nobody else starts", composeFileName, "\n  content:\n", "\n  contents:\n",
		"compose, dictionary: DICTIONARY_DATA_URL leads to \"content\", which is no process; right would be: one of ",
	},
}

func TestMistakesAreFound(t *testing.T) {
	right := fleets(t)
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := copyOfWirings(t)
			mutate(t, filepath.Join(dir, m.file), m.is, m.becomes)
			found := Check(catalogue(t), withChange(t, right, dir, m.file, m.want)...)
			if slices.ContainsFunc(found, func(f Finding) bool { return strings.HasPrefix(f.String(), m.want) }) {
				return
			}
			t.Errorf("it was not found:\n  %s\nbut:", m.want)
			for _, f := range found {
				t.Logf("  %s", f)
			}
		})
	}
}

// withChange reads the wiring anew that the mistake shows in; to render all of them takes seconds.
func withChange(t *testing.T, right []Fleet, dir, file, want string) []Fleet {
	t.Helper()
	all := slices.Clone(right)
	for i, f := range right {
		var err error
		switch {
		case file == composeFileName && f.Wiring == "compose":
			all[i], err = Compose(filepath.Join(dir, file), catalogue(t))
		case file != composeFileName && strings.HasPrefix(want, f.Wiring+","):
			all[i], err = Manifests(filepath.Join(dir, "infra/kubernetes/overlays", strings.TrimPrefix(f.Wiring, "kubernetes/")), catalogue(t))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// Services that are replicas of one process may differ in their number only.
func TestAMemberThatIsUnlikeTheOthersIsAnError(t *testing.T) {
	t.Parallel()
	dir := copyOfWirings(t)
	mutate(t, filepath.Join(dir, composeFileName), "    - etcd-2:/etcd-data", "    - etcd-2:/elsewhere")
	if _, err := Compose(filepath.Join(dir, composeFileName), catalogue(t)); err == nil || !strings.Contains(err.Error(), "etcd-2 are replicas of etcd, and differ") {
		t.Errorf("the error is %v", err)
	}
}

func TestANamespaceThatDoesNotEnforceIsAnError(t *testing.T) {
	t.Parallel()
	dir := copyOfWirings(t)
	mutate(t, filepath.Join(dir, "infra/kubernetes/overlays/local/namespace.yaml"), "enforce: restricted", "enforce: baseline")
	if _, err := Manifests(filepath.Join(dir, "infra/kubernetes/overlays/local"), catalogue(t)); err == nil || !strings.Contains(err.Error(), enforced) {
		t.Errorf("the error is %v", err)
	}
}

// copyOfWirings copies what the wirings consist of.
func copyOfWirings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"infra/kubernetes", "services/cache/policy"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{composeFileName, "services/shardproxy/cacheshards.yaml", "services/hotshards/cacheshards.yaml", "services/search/shards.yaml", "services/search/terms.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mutate(t *testing.T, file, is, becomes string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), is, becomes, 1)
	if changed == string(text) {
		t.Fatalf("%s has no %q: this case proves nothing", file, is)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

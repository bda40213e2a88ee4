package wiring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/process"
)

// pods is a catalogue of an old application and its sidecar, and of a client.
var pods = Catalogue{
	"old": {Help: process.Help{Program: "old", Ports: []process.Port{{Name: "data", Number: 8090, Protocol: "tcp"}, {Name: "admin", Number: 9090, Protocol: "tcp"}}}},
	"tls": {Help: process.Help{Program: "tls", Ports: []process.Port{{Name: "data", Number: 8444, Protocol: "tcp"}, {Name: "admin", Number: 9444, Protocol: "tcp"}}}},
}

const podManifests = `
kind: Deployment
metadata: {name: old, namespace: x}
spec:
  template:
    metadata: {labels: {app.kubernetes.io/name: old}}
    spec:
      initContainers:
      - name: tls
        image: flotilla/tls:dev
        restartPolicy: Always
        env: [{name: TLS_TO, value: "client:8444"}]
        ports: [{name: tls, containerPort: 8444}, {containerPort: 9444}]
        readinessProbe: {httpGet: {path: /readyz, port: 9444}}
      containers:
      - name: old
        image: flotilla/old:dev
        ports: [{name: data, containerPort: 8090}, {name: admin, containerPort: 9090}]
---
kind: Deployment
metadata: {name: client, namespace: x}
spec:
  template:
    metadata: {labels: {app.kubernetes.io/name: client}}
    spec:
      containers:
      - name: client
        image: somebody/client:1
        env: [{name: OLD, value: "old:8444"}, {name: SHARD, value: "old-0.old:8444"}]
        ports: [{name: data, containerPort: 8444}]
---
kind: Namespace
metadata: {name: x, labels: {pod-security.kubernetes.io/enforce: restricted}}
`

const podCompose = `
services:
  old-pod: {build: {target: pod}, networks: [n]}
  old: {build: {target: old}, network_mode: "service:old-pod"}
  tls: {build: {target: tls}, network_mode: "service:old-pod", environment: {TLS_TO: "client:8444"}}
  client: {image: "somebody/client:1", expose: ["8444"], networks: [n], environment: {OLD: "old:8444", SHARD: "flotilla-old-1:8444"}}
`

func podFleets(t *testing.T) map[string]Fleet {
	t.Helper()
	var m manifests
	for _, text := range strings.Split(podManifests, "---") {
		if err := m.add([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := m.fleet("kubernetes", pods)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	if err := os.WriteFile(file, []byte(podCompose), 0o600); err != nil {
		t.Fatal(err)
	}
	compose, err := Compose(file, pods)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Fleet{"kubernetes": cluster, "compose": compose}
}

func TestAPodIsReadAlikeFromManifestsAndCompose(t *testing.T) {
	t.Parallel()
	for wiring, fleet := range podFleets(t) {
		if got := processNames(fleet.Processes); !slices.Equal(got, []string{"client", "old", "tls"}) {
			t.Errorf("%s: processes %v", wiring, got)
		}
		sidecar, _ := fleet.Find("tls")
		want := []Port{{"data", 8444, "tcp"}, {"admin", 9444, "tcp"}}
		if sidecar.Pod != "old" || !slices.Equal(sidecar.Ports, want) {
			t.Errorf("%s: the sidecar is in the pod %q with the ports %v", wiring, sidecar.Pod, sidecar.Ports)
		}
		if app, _ := fleet.Find("old"); app.Pod != "" {
			t.Errorf("%s: the application is in the pod %q, want its own", wiring, app.Pod)
		}
		wantCalls := []Call{{"client", "old", 8444, "tcp"}, {"client", "old", 8444, "tcp"}, {"old", "client", 8444, "tcp"}}
		calls := fleet.calls()
		slices.SortFunc(calls, func(a, b Call) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(calls, wantCalls) {
			t.Errorf("%s: calls %v, want those of pods, %v", wiring, calls, wantCalls)
		}
		if got := checkTargets(pods, fleet); len(got) > 0 {
			t.Errorf("%s: %v", wiring, got)
		}
		if !slices.Contains(fleet.Allowed, Call{"client", "old", 9444, "tcp"}) {
			t.Errorf("%s: without a policy the sidecar can be reached in its pod; allowed is %v", wiring, fleet.Allowed)
		}
	}
}

func TestProbesOfASidecarAreKnownByTheirNumber(t *testing.T) {
	t.Parallel()
	sidecar, _ := podFleets(t)["kubernetes"].Find("tls")
	if sidecar.Probes.Ready != "admin/readyz" {
		t.Errorf("it is asked %q", sidecar.Probes.Ready)
	}
}

func TestServersInAConfigurationFileAreTargets(t *testing.T) {
	t.Parallel()
	p := Process{
		Name:  "shard",
		Env:   map[string]string{"SHARD_CONFIG_FILE": "/etc/nutcracker.yaml"},
		Files: map[string]string{"/etc/nutcracker.yaml": "pool:\n  listen: 127.0.0.1:6379\n  servers:\n   - redis-0.redis:6380:1 first\n   - redis-1:6381:1\n"},
	}
	want := []target{
		{variable: "SHARD_CONFIG_FILE", host: "redis-0", port: 6380},
		{variable: "SHARD_CONFIG_FILE", host: "redis-1", port: 6381},
	}
	if got := p.targets(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	fleet := Fleet{Processes: []Process{p, {Name: "redis"}}}
	if pod := fleet.Pod("flotilla-redis-2"); len(pod) != 1 || pod[0].Name != "redis" {
		t.Errorf("the replica leads to %v", pod)
	}
}

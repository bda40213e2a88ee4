package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
)

// resolved is what `topology --json` prints for the real table.
func resolved(t *testing.T) Resolved {
	t.Helper()
	var out, errs strings.Builder
	if code := execute(theFleet(), []string{"--root", "../..", "--dir", "/fleet", "topology", "--json"}, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r Resolved
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheTableIsTheFleetOfTheArchitecture(t *testing.T) {
	t.Parallel()
	want := map[string]int{"content": 1, "redis": 1, "dictionary": 3, "cache": 2, "edge": 2,
		"etcd": 1, "configapi": 1, "legacy": 1, "configsync": 1, "tlsproxy": 1, "topz": 1,
		"gitserver": 1, "site": 1, "gitsync": 1, "dictionary-next": 1, "experiment": 1, "experiment-configsync": 1, "redismetrics": 1, "lognorm": 1, "mysql-a": 1, "mysql-b": 1, "dbhealth": 1, "broker": 1, "guestbook": 1,
		"redis-shard": 3, "redisshard": 1, "lookups": 1, "memcached": 3, "memcacheshard": 1, "shardrouter": 2, "thesaurus": 1,
		"cacheshard-a": 2, "cacheshard-b": 2, "cacheshard-c": 2, "shardproxy": 1, "hotshards": 1, "ledger-a": 1, "ledger-b": 1, "ownership": 3,
		"kafka": 1, "searchleaf-a": 2, "searchleaf-b": 2, "searchleaf-c": 2, "search": 2, "searchfeed": 1, "searchall": 3, "searchterms": 1, "searchtermsfeed": 1}
	replicas := 0
	for _, n := range want {
		replicas += n
	}
	r := resolved(t)
	for _, s := range r.Services {
		if s.Count != want[s.Name] {
			t.Errorf("%s has %d replicas", s.Name, s.Count)
		}
		delete(want, s.Name)
		if files, _ := filepath.Glob(filepath.Join("../..", s.Package, "*.go")); len(files) == 0 {
			t.Errorf("%s: there is no program in %s", s.Name, s.Package)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if len(r.Processes) != replicas {
		t.Errorf("%d processes", len(r.Processes))
	}
}

// Three members of etcd are there by choice, and whoever uses etcd is told all of them.
func TestEtcdHasAsManyMembersAsIsAskedFor(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := execute(theFleet(), []string{"--root", "../..", "--dir", "/fleet", "topology", "--json", "--etcd-members", "3"}, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r Resolved
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	var members []string
	peers := map[string]bool{}
	for _, p := range r.Processes {
		if p.Service == "etcd" {
			members = append(members, p.Data)
			peers[p.Env["ETCD_PEERS"]] = true
			if !strings.Contains(p.Env["ETCD_DATA_DIR"], "/"+p.Name+"/") || p.Env["INSTANCE"] != p.Name {
				t.Errorf("%s: %v", p.Name, p.Env)
			}
		}
	}
	if len(members) != 3 || len(peers) != 1 {
		t.Errorf("members %v, who see %v", members, peers)
	}
	clients := 0
	for _, p := range r.Processes {
		for variable, value := range p.Env {
			if strings.HasSuffix(variable, "_ETCD_ENDPOINTS") {
				clients++
				if value != strings.Join(members, ",") {
					t.Errorf("%s of %s is %s, and not %v", variable, p.Name, value, members)
				}
			}
		}
	}
	if clients != 6 { // configapi, configsync × 2, ownership × 3
		t.Errorf("%d processes use etcd", clients)
	}
	for _, args := range [][]string{{"up", "--etcd-members", "2", "legacy"}, {"up", "--etcd-members", "3", "site"}} {
		var out, errs strings.Builder
		if code := execute(theFleet(), args, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "etcd-members") {
			t.Errorf("%v: exit %d, %q", args, code, errs.String())
		}
	}
}

func TestNoTwoProcessesShareAPortThatTheyOpenThemselves(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for _, p := range resolved(t).Processes {
		for _, address := range []string{p.Env["LISTEN_ADDR"], p.Env["ADMIN_ADDR"]} {
			if strings.HasPrefix(address, "fd:") {
				continue
			}
			if other := owner[address]; other != "" {
				t.Errorf("%s and %s both open %s", p.Name, other, address)
			}
			owner[address] = p.Name
		}
	}
}

func TestEverySecretThatIsNamedIsMade(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	path := regexp.MustCompile(`^/fleet/pki/secrets/(.*)$`)
	for _, p := range resolved(t).Processes {
		for variable, value := range p.Env {
			if m := path.FindStringSubmatch(value); m != nil {
				used[m[1]] = true
				if !slices.Contains(secrets(), m[1]) {
					t.Errorf("%s of %s: nobody makes the secret %s", variable, p.Name, m[1])
				}
			}
		}
	}
	for _, name := range secrets() {
		if !used[name] {
			t.Errorf("nobody uses the secret %s", name)
		}
	}
}

func TestProgressIsOneLineOnATerminalAndNothingElsewhere(t *testing.T) {
	t.Parallel()
	var terminal, file strings.Builder
	for out, isTerminal := range map[*strings.Builder]bool{&terminal: true, &file: false} {
		v := &voice{out: out, terminal: isTerminal}
		v.built(1, "example.test/a")
		v.built(2, "example.test/b")
		v.say("built")
		v.close()
	}
	if want := "building: 1 packages compiled, a\r\x1b[Kbuilding: 2 packages compiled, b\r\x1b[Kbuilt\n"; terminal.String() != want {
		t.Errorf("on a terminal: %q", terminal.String())
	}
	if file.String() != "built\n" {
		t.Errorf("in a file: %q", file.String())
	}
}

func TestTheTreeIsFoundFromBelow(t *testing.T) {
	root, dir, err := places("", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.work")); err != nil || dir != filepath.Join(root, ".flotilla") {
		t.Errorf("root %s, dir %s, %v", root, dir, err)
	}
	t.Chdir(t.TempDir())
	if _, _, err := places("", ""); err == nil || !strings.Contains(err.Error(), "--root") {
		t.Errorf("outside the tree: %v", err)
	}
}

func TestAWrongCommandLineIsExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"upp"}, {"kill"}, {"scale", "web"}, {"up", "--backends", "imaginary"}, {"up", "nowhere"}} {
		var out, errs strings.Builder
		if code := execute(theFleet(), args, &out, &errs); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%v: exit %d, %q", args, code, errs.String())
		}
	}
}

// The edge serves the search where there is one, and does without it where there is none.
func TestTheEdgeServesTheSearchWhenItIsChosen(t *testing.T) {
	t.Parallel()
	for chosen, want := range map[string]bool{"search": true, "all": true, "legacy": false} {
		rows, err := choose([]string{chosen})
		if err != nil {
			t.Fatal(err)
		}
		r, err := resolve(session{definition: definition{table: rows, common: common()}, root: "../..", dir: "/fleet"})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Processes {
			if is := p.Env["EDGE_UPSTREAM_SEARCH"]; p.Service == "edge" && (is == "file:/fleet/endpoints/search") != want {
				t.Errorf("%s: %s has EDGE_UPSTREAM_SEARCH=%q", chosen, p.Name, is)
			}
		}
		if address := urls(rows)(map[string]int{"https": 1234})["search"]; (address == "https://search.localhost:1234/") != want {
			t.Errorf("%s: the search is said to be at %q", chosen, address)
		}
	}
}

func TestAGroupComesWithWhatItNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted []string
		in     []string
		out    []string
	}{
		{nil, []string{"dictionary", "cache", "edge", "redis", "redismetrics"}, []string{"etcd", "legacy", "site"}},
		{[]string{"site"}, []string{"edge", "gitserver", "gitsync", "site"}, []string{"etcd", "legacy"}},
		{[]string{"experiment", "lookups"}, []string{"edge", "experiment", "etcd", "configapi", "redis-shard"}, []string{"legacy", "memcached"}},
		{[]string{"ownership"}, []string{"edge", "ownership", "ledger-a", "ledger-b", "etcd"}, []string{"legacy", "memcached"}},
		{[]string{"all"}, []string{"legacy", "site", "mysql-b", "thesaurus"}, nil},
	} {
		chosen, err := choose(c.wanted)
		if err != nil {
			t.Fatal(err)
		}
		has := func(name string) bool {
			return slices.ContainsFunc(chosen, func(s topology.Service) bool { return s.Name == name })
		}
		for _, name := range c.in {
			if !has(name) {
				t.Errorf("%v: %s is missing", c.wanted, name)
			}
		}
		for _, name := range c.out {
			if has(name) {
				t.Errorf("%v: %s is too much", c.wanted, name)
			}
		}
		if err := topology.Validate(chosen); err != nil {
			t.Errorf("%v: %v", c.wanted, err)
		}
	}
	known := map[string]bool{}
	for _, g := range groups() {
		for _, s := range g.services {
			known[s.Name] = true
		}
		for _, s := range g.services {
			for _, need := range s.Needs {
				if !known[need] {
					t.Errorf("%s needs %s, which is in a later group", s.Name, need)
				}
			}
		}
	}
	if _, err := choose([]string{"legcay"}); err == nil || !strings.Contains(err.Error(), "legacy") {
		t.Errorf("the right names are not told: %v", err)
	}
}

// The script that brings Apache Kafka and the runner that starts it look into the same folder.
func TestTheRunnerFindsTheKafkaThatTheScriptBrings(t *testing.T) {
	for name, environ := range map[string]map[string]string{
		"told":      {"KAFKA_JARS": "jars", "XDG_CACHE_HOME": "cache", "HOME": "home"},
		"its cache": {"XDG_CACHE_HOME": "cache", "HOME": "home"},
		"at home":   {"HOME": "home"},
	} {
		root, nothing := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(nothing, "mvn"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		getenv := func(variable string) string {
			if environ[variable] == "" {
				return ""
			}
			return filepath.Join(root, environ[variable])
		}
		cmd := exec.Command("sh", "../backends/kafka/real/fetch.sh")
		cmd.Env = append(cmd.Env, "PATH="+nothing+":"+os.Getenv("PATH"))
		for variable := range environ {
			cmd.Env = append(cmd.Env, variable+"="+getenv(variable))
		}
		want := kafkaJars(getenv)
		if err := os.MkdirAll(want, 0o700); err != nil { // what is there is not fetched again
			t.Fatal(err)
		}
		if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: the script says %q (%v), the runner %s", name, out, err, want)
		}
	}
}

// That Apache Kafka accepts connections is not enough: it has to say that a broker takes part.
func TestApacheKafkaIsReadyWhenItKnowsABroker(t *testing.T) {
	real := apacheKafka("")
	known := "\x00\x00\x00\x41\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\n"
	none := "\x00\x00\x00\x2c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\n"
	pong := regexp.MustCompile(real.Pong)
	if !pong.MatchString(known) || pong.MatchString(none) || pong.MatchString("\n") {
		t.Errorf("%s: one broker %t, none %t", real.Pong, pong.MatchString(known), pong.MatchString(none))
	}
	b := kafkatest.Real(t)
	ready := supervise.Ping(b.Addr, real.Ping, real.Pong)
	asked := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
		defer cancel()
		return ready(ctx)
	}
	if err := asked(); err != nil {
		t.Errorf("a broker that serves: %v", err)
	}
	b.Kill()
	if err := asked(); err == nil {
		t.Error("a killed broker is ready")
	}
	b.Launch()
	await.That(t, "the broker is ready again", func() bool { return asked() == nil })
}

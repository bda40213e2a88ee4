package topology

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func example() []Service {
	return []Service{
		{Name: "data", Package: "./a/cmd/data", Count: 1, Single: true, Real: &Real{Program: "data-server", Args: []string{"--port", `{{port "data"}}`}, Ping: "PING\r\n"}},
		{Name: "web", Package: "./b/cmd/web", Count: 2, Needs: []string{"data"}, Env: map[string]string{
			"WEB_DATA": `http://{{addr "data"}}/{{base "files/x.*.bin"}}`, "WEB_DIR": `{{private "cache"}}`, "WEB_KEY": `{{pki "web/tls.key"}}`,
			"WEB_FRONTS": `{{addrs "edge"}}`,
		}},
		{Name: "edge", Package: "./c/cmd/edge", Count: 2, Needs: []string{"web"}, Public: []Public{{"https", "LISTEN_ADDR"}, {"http", "EDGE_HTTP_ADDR"}},
			Datagrams: &Datagrams{"http3", "EDGE_HTTP3_ADDR", "https"},
			Env:       map[string]string{"EDGE_UPSTREAM": `{{endpoints "web"}}`, "DRAIN_DELAY": "1s", "DRAIN_TIMEOUT": "4s"}},
	}
}

func exampleContext(t *testing.T) Context {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "files"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "files", "x.0123.bin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ports := map[string]Pair{"data-1": {1001, 2001}, "web-1": {1002, 2002}, "web-2": {1003, 2003}, "edge-1": {1004, 2004}, "edge-2": {1005, 2005}}
	return Context{
		Root: root, Dir: "/fleet", Host: "127.0.0.1", Public: map[string]int{"https": 8443, "http": 8080},
		Pair:    func(instance string) (Pair, error) { return ports[instance], nil },
		Common:  map[string]string{"FAULTS": "on", "DRAIN_DELAY": "2s"},
		Present: func(program string) (string, bool) { return "/usr/bin/" + program, program == "data-server" },
	}
}

func TestAReplicaIsResolved(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	p, err := c.Resolve(example(), example()[1], 2)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"INSTANCE": "web-2", "LISTEN_ADDR": "127.0.0.1:1003", "ADMIN_ADDR": "127.0.0.1:2003", "FAULTS": "on", "DRAIN_DELAY": "2s",
		"WEB_DATA": "http://127.0.0.1:1001/x.0123.bin", "WEB_DIR": "/fleet/data/web-2/cache", "WEB_KEY": "/fleet/pki/web/tls.key",
		"WEB_FRONTS": "127.0.0.1:1004,127.0.0.1:1005",
	}
	if !maps.Equal(p.Env, want) {
		t.Errorf("the environment is %v", p.Env)
	}
	if p.Program != "/fleet/bin/web" || p.Name != "web-2" || p.Grace != 14*time.Second { // 2 s + 10 s by default + 2 s
		t.Errorf("%+v", p)
	}
}

func TestAServiceHearsOfOthersThatAreThere(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	table := example()
	table[0].With = map[string]map[string]string{
		"edge":   {"DATA_EDGE": `{{endpoints "edge"}}`},
		"nobody": {"DATA_NOBODY": `{{endpoints "nobody"}}`},
	}
	p, err := c.Resolve(table, table[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := p.Env["DATA_NOBODY"]; there || p.Env["DATA_EDGE"] != "file:/fleet/endpoints/edge" {
		t.Errorf("%v", p.Env)
	}
	if err := Validate(table); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("data waits for edge, which waits for web, which waits for data: %v", err)
	}
	table[1].Needs = nil
	levels, err := Levels(table)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, level := range levels {
		order = append(order, level[0].Name)
	}
	if want := []string{"web", "edge", "data"}; !slices.Equal(order, want) {
		t.Errorf("started as %v, want %v", order, want)
	}
}

func TestTheFirstReplicaOpensTheDatagramsAndAllInheritTheListeners(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	for n, want := range map[int]string{1: "127.0.0.1:8443", 2: "elsewhere"} {
		p, err := c.Resolve(example(), example()[2], n)
		if err != nil {
			t.Fatal(err)
		}
		if p.Env["EDGE_HTTP3_ADDR"] != want || p.Env["LISTEN_ADDR"] != "fd:3" || p.Env["EDGE_HTTP_ADDR"] != "fd:4" || p.Env["EDGE_UPSTREAM"] != "file:/fleet/endpoints/web" {
			t.Errorf("edge-%d: %v", n, p.Env)
		}
		if !slices.Equal(p.Inherit, []string{"https", "http"}) || p.Data != "127.0.0.1:8443" || p.Grace != 7*time.Second {
			t.Errorf("edge-%d: %+v", n, p)
		}
		var names []string
		for _, port := range p.Ports {
			names = append(names, port.Name+"/"+port.Protocol)
		}
		if got := strings.Join(names, " "); n == 1 && got != "data/tcp http/tcp http3/udp admin/tcp" || n == 2 && got != "data/tcp http/tcp admin/tcp" {
			t.Errorf("edge-%d has the ports %s", n, got)
		}
	}
}

func TestARealServerStandsInWhereItIsInstalled(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	c.Real = true
	p, err := c.Resolve(example(), example()[0], 1)
	if err != nil || p.Program != "/usr/bin/data-server" || !slices.Equal(p.Args, []string{"--port", "1001"}) || p.Admin != "" || p.Ping == "" || p.Pong != "^[+]" {
		t.Errorf("%+v, %v", p, err)
	}
	if notes := c.Substitutes(example()); len(notes) != 1 || !strings.Contains(notes[0], "/usr/bin/data-server") {
		t.Errorf("the notes are %q", notes)
	}
	c.Present = func(string) (string, bool) { return "", false }
	p, err = c.Resolve(example(), example()[0], 1)
	if err != nil || p.Program != "/fleet/bin/data" {
		t.Errorf("%+v, %v", p, err)
	}
	if notes := c.Substitutes(example()); len(notes) != 1 || !strings.Contains(notes[0], "not installed") {
		t.Errorf("the notes are %q", notes)
	}
}

func TestARealServerStandsInOnlyWithTheFolderThatItNeeds(t *testing.T) {
	t.Parallel()
	c, table := exampleContext(t), example()
	c.Real = true
	table[0].Real.Folder, table[0].Real.Bring = filepath.Join(t.TempDir(), "jars"), "fetch.sh"
	p, err := c.Resolve(table, table[0], 1)
	if err != nil || p.Program != "/fleet/bin/data" {
		t.Errorf("without the folder: %+v, %v", p, err)
	}
	if notes := c.Substitutes(table); len(notes) != 1 || !strings.Contains(notes[0], table[0].Real.Folder+" (fetch.sh brings it)") || !strings.Contains(notes[0], "embedded") {
		t.Errorf("without the folder the notes are %q", notes)
	}
	if err := os.WriteFile(table[0].Real.Folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = c.Resolve(table, table[0], 1); err != nil || p.Program != "/fleet/bin/data" {
		t.Errorf("with a file of its name: %+v, %v", p, err)
	}
	if err := os.Remove(table[0].Real.Folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(table[0].Real.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err = c.Resolve(table, table[0], 1); err != nil || p.Program != "/usr/bin/data-server" {
		t.Errorf("with the folder: %+v, %v", p, err)
	}
	c.Present = func(string) (string, bool) { return "", false }
	if notes := c.Substitutes(table); len(notes) != 1 || !strings.Contains(notes[0], "data-server is not installed") {
		t.Errorf("with the folder alone the notes are %q", notes)
	}
}

func TestAPortIsOnesOwnOrThatOfAServiceThatRunsOnce(t *testing.T) {
	t.Parallel()
	table := example()
	table[1].Env = map[string]string{"PORTS": `{{port "data"}} {{port "admin"}} {{port "https"}} {{port "Data"}}`}
	table[0].Name = "Data" // as no word is that is known
	c := exampleContext(t)
	pairs := c.Pair
	c.Pair = func(instance string) (Pair, error) { return pairs(strings.ToLower(instance)) }
	if p, err := c.Resolve(table, table[1], 2); err != nil || p.Env["PORTS"] != "1003 2003 8443 1001" {
		t.Errorf("%q, %v", p.Env["PORTS"], err)
	}
}

func TestReplicasThatKnowEachOtherAreNamed(t *testing.T) {
	t.Parallel()
	table := example()
	table[1].Env = map[string]string{"WEB_PEERS": `{{peers "web" "http://"}}`, "WEB_OWN": `{{name}} {{peer}}`}
	c := exampleContext(t)
	c.Pair = func(instance string) (Pair, error) {
		return map[string]Pair{"web-1": {1, 2}, "web-1/peer": {3, 4}, "web-2/peer": {5, 6}}[instance], nil
	}
	p, err := c.Resolve(table, table[1], 2)
	if err != nil || p.Env["WEB_PEERS"] != "web-1=http://127.0.0.1:3,web-2=http://127.0.0.1:5" || p.Env["WEB_OWN"] != "web-2 127.0.0.1:5" {
		t.Errorf("%v, %v", p.Env, err)
	}
}

func TestWhatIsSetStandsAboveTheTable(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	c.Set = map[string]map[string]string{"web": {"FAULTS": "off", "WEB_DIR": "/elsewhere"}}
	p, err := c.Resolve(example(), example()[1], 1)
	if err != nil || p.Env["FAULTS"] != "off" || p.Env["WEB_DIR"] != "/elsewhere" {
		t.Errorf("%v, %v", p.Env, err)
	}
}

func TestAWrongReferenceIsNamed(t *testing.T) {
	t.Parallel()
	c := exampleContext(t)
	for value, want := range map[string]string{
		`{{addr "nobody"}}`:      "there is no service nobody",
		`{{addr "web"}}`:         "several replicas",
		`{{endpoints "nobody"}}`: "there is no service nobody",
		`{{addrs "nobody"}}`:     "there is no service nobody",
		`{{peers "nobody" ""}}`:  "there is no service nobody",
		`{{file "none*"}}`:       "0 files match",
		`{{public "ftp"}}`:       "no public listener ftp",
		`{{port "web"}}`:         "no service of this name that runs once",
		`{{port`:                 "unclosed",
		`{{nothing}}`:            "nothing",
	} {
		table := example()
		table[1].Env["WEB_X"] = value
		if _, err := c.Resolve(table, table[1], 1); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "WEB_X of web-1") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestWrongTablesAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(table []Service){
		"occurs once":       func(table []Service) { table[1].Name = "data" },
		"0 replicas":        func(table []Service) { table[1].Count = 0 },
		"2 replicas":        func(table []Service) { table[0].Count = 2 },
		"not in the table":  func(table []Service) { table[1].Needs = []string{"nobody"} },
		"circle: data, web": func(table []Service) { table[0].Needs = []string{"web"} },
	} {
		table := example()
		change(table)
		if err := Validate(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := Validate(example()); err != nil {
		t.Error(err)
	}
}

package wiring

import (
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func TestAddressesAreFoundAmongVariables(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]target{
		"dns:dictionary:8080/9080":              {host: "dictionary", port: 8080, admin: 9080, dns: true},
		"dns:cache.flotilla.svc:8081":           {host: "cache", port: 8081, dns: true},
		"redis:6379":                            {host: "redis", port: 6379},
		"redis://redis:6379/0":                  {host: "redis", port: 6379},
		"http://user:word@content:8082/x.bin":   {host: "content", port: 8082},
		"file:/work/.flotilla/endpoints/cache":  {host: "cache", dns: true, file: true},
		"127.0.0.1:8080":                        {},
		":8080":                                 {},
		"fd:3":                                  {},
		"localhost:8080":                        {},
		"file:data/wordnet.bin.gz":              {},
		"max-age=31536000":                      {},
		"fd00::/8":                              {},
		"/certificates/tls.crt:/certificates/k": {},
	} {
		got, ok := parseTarget(value)
		if ok != (want != target{}) || got != want {
			t.Errorf("%q is read as %+v, want %+v", value, got, want)
		}
	}
}

func TestValuesHaveTheTypeOfTheirParameter(t *testing.T) {
	t.Parallel()
	for kind, values := range map[string]struct{ good, bad []string }{
		"duration": {[]string{"3s", "1m30s", "0s"}, []string{"3", "3 s", "fast"}},
		"size":     {[]string{"64MiB", "512B"}, []string{"64", "64 megabytes"}},
		"integer":  {[]string{"3", "-1", "INFO"}, []string{"3.5", "three"}},
		"number":   {[]string{"3", "0.5"}, []string{"half"}},
		"boolean":  {[]string{"on", "off", "true"}, []string{"yes", "1"}},
		"string":   {[]string{"anything"}, nil},
	} {
		for _, v := range values.good {
			if wrong := invalid(config.Param{Type: kind}, v); wrong != "" {
				t.Errorf("%s %q: %s", kind, v, wrong)
			}
		}
		for _, v := range values.bad {
			if invalid(config.Param{Type: kind}, v) == "" {
				t.Errorf("%s %q was let through", kind, v)
			}
		}
	}
}

func TestComposeVariablesHaveTheirDefaults(t *testing.T) {
	t.Parallel()
	const text = "${REGISTRY:-flotilla}/cache:${TAG-dev} ${MUST:?set it} $$HOME"
	if got, want := interpolate(text), "flotilla/cache:dev set it $HOME"; got != want {
		t.Errorf("%q is read as %q, want %q", text, got, want)
	}
}

// strange is a program whose texts need quoting in every way.
func strange() Program {
	return Program{Image: true, Dir: "services/strange", Help: process.Help{
		Program: "strange", About: `it's "odd" and costs $5 \ more`, Prefix: "STRANGE_",
		Ports: []process.Port{{Name: "data", Number: 1234, Protocol: "tcp"}, {Name: "admin", Number: 2234, Protocol: "tcp"}},
		Params: []config.Param{
			{Name: "STRANGE_MOTTO", Type: "string", Default: `say "$HOME" \o/`, Doc: "one's motto"},
			{Name: "STRANGE_MUST", Type: "string", Required: true, Doc: "no default"},
			{Name: "STRANGE_DIR", Type: "string", Default: "here", Doc: "the Dockerfile sets it"},
			{Name: "STRANGE_X_*", Type: "string", Doc: "a family"},
		},
		Renamed: map[string]string{"STRANGE_WORD": "STRANGE_MOTTO"},
	}}
}

const handWritten = "FROM scratch AS runtime\nUSER 65532\nFROM runtime AS strange-files\nENV STRANGE_DIR=/there\nCMD [\"go\"]\n" +
	begin + "\nwhat was there before\n" + end + "\n"

func TestAStageSaysWhatItsProgramSays(t *testing.T) {
	t.Parallel()
	text, err := Generate(handWritten, Catalogue{"strange": strange()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "before") {
		t.Error("what was there before is still there")
	}
	stages, err := Stages(text)
	if err != nil {
		t.Fatal(err)
	}
	body, base, found := lineage(stages, "strange")
	if !found || base != "scratch" {
		t.Fatalf("the stage was found: %t, its base is %q", found, base)
	}
	env := pairs(body, "ENV")
	want := map[string]string{"STRANGE_MOTTO": `say "$HOME" \o/`, "STRANGE_DIR": "/there"}
	if len(env) != len(want) || env["STRANGE_MOTTO"] != want["STRANGE_MOTTO"] || env["STRANGE_DIR"] != want["STRANGE_DIR"] {
		t.Errorf("ENV gives %q, want %q", env, want)
	}
	if got := last(body, "EXPOSE"); got != "1234/tcp 2234/tcp" {
		t.Errorf("EXPOSE gives %q", got)
	}
	if got := last(body, "CMD"); got != `["go"]` {
		t.Errorf("CMD gives %q; ENTRYPOINT would have dropped it", got)
	}
	labels := pairs(body, "LABEL")
	if labels["org.opencontainers.image.description"] != strange().About {
		t.Errorf("the description is %q", labels["org.opencontainers.image.description"])
	}
	m := metadata{Labels: labels}
	f := &findings{}
	m.checkHelp(strange(), f)
	for _, one := range f.all {
		if strings.Contains(one.Is, HelpLabel) {
			t.Errorf("%s: %s", one.Is, labels[HelpLabel])
		}
	}
}

// An image that was built before its program changed is told from a new one.
func TestAnOldImageIsFound(t *testing.T) {
	t.Parallel()
	stages, err := Stages(handWritten)
	if err != nil {
		t.Fatal(err)
	}
	old := metadata{
		User: "root", ExposedPorts: map[string]struct{}{"1234/tcp": {}}, Env: []string{"STRANGE_MOTTO=old", "STRANGE_DIR=/there"},
		Labels: map[string]string{HelpLabel: "{}"}, Entrypoint: []string{"/strange"},
	}
	f := &findings{wiring: "image", process: "strange"}
	old.check(strange(), stages, f)
	for _, want := range []string{"it exposes [1234/tcp]", `runs as "root"`, "its health check is []", `STRANGE_MOTTO is "old"`, HelpLabel, "title is missing"} {
		if !strings.Contains(names(f.all, Finding.String), want) {
			t.Errorf("nothing is said about: %s", want)
		}
	}
}

package wiring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func TestReadmesSayWhatTheProgramsSay(t *testing.T) {
	for _, p := range catalogue(t) {
		text, err := os.ReadFile(filepath.Join(root, p.Dir, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !p.Image {
			continue // an embedded backend is configured by the local table alone
		}
		for _, f := range CheckReadme(string(text), p) {
			t.Error(f)
		}
	}
}

func TestProgramsKeepTheirPromises(t *testing.T) {
	promises, err := Promises("api")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range CheckPromises(promises, catalogue(t)) {
		t.Error(f)
	}
	for _, p := range catalogue(t).images() {
		now, err := promise(p.Help)
		if err != nil {
			t.Fatal(err)
		}
		if then, err := os.ReadFile(filepath.Join("api", p.Program+".json")); err != nil || string(then) != now {
			t.Errorf("api/%s.json is not what %s --help=json prints; run: go generate ./infra/wiring", p.Program, p.Program)
		}
	}
}

// The book's container reads UPDATE_FREQUENCY, a number of seconds, 60 by
// default. It lists three ways to break everybody who uses it.
func TestTheBooksThreeBreakingChangesAreFound(t *testing.T) {
	t.Parallel()
	frequency := func(name, kind, byDefault, doc string) process.Help {
		return process.Help{Program: "book", Params: []config.Param{{Name: name, Type: kind, Default: byDefault, Doc: doc}}}
	}
	was := frequency("UPDATE_FREQUENCY", "integer", "60", "how often it updates")
	for _, change := range []struct {
		name string
		now  process.Help
		want string
	}{
		{"another name", frequency("UPDATE_PERIOD", "integer", "60", "how often it updates"), "the parameter UPDATE_FREQUENCY is gone"},
		{"a unit is required", frequency("UPDATE_FREQUENCY", "duration", "60s", "how often it updates"), "UPDATE_FREQUENCY was a integer and is a duration"},
		{"another unit", frequency("UPDATE_FREQUENCY", "integer", "1", "minutes between updates"), "UPDATE_FREQUENCY is a integer of a unit"},
	} {
		found := append(broken(was, change.now), unitless(change.now)...)
		if !strings.Contains(names(found, Finding.String), change.want) {
			t.Errorf("%s: found %v, want %q", change.name, found, change.want)
		}
	}
}

func TestADeprecatedNameKeepsThePromise(t *testing.T) {
	t.Parallel()
	was := process.Help{Program: "p", Params: []config.Param{{Name: "P_FREQUENCY", Type: "duration"}}}
	now := process.Help{Program: "p", Params: []config.Param{{Name: "P_PERIOD", Type: "duration"}}, Renamed: map[string]string{"P_FREQUENCY": "P_PERIOD"}}
	if found := broken(was, now); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestPromisesOfPortsAndDefaultsAreKept(t *testing.T) {
	t.Parallel()
	was := process.Help{Program: "p", Ports: []process.Port{{Name: "data", Number: 80, Protocol: "tcp"}}, Params: []config.Param{{Name: "P_URL", Type: "string", Default: "x"}}}
	now := process.Help{Program: "p", Ports: []process.Port{{Name: "data", Number: 81, Protocol: "tcp"}}, Params: []config.Param{{Name: "P_URL", Type: "string", Required: true}}}
	found := names(broken(was, now), Finding.String)
	for _, want := range []string{"the port data 80/tcp is gone", `P_URL had the default "x" and must now be set`} {
		if !strings.Contains(found, want) {
			t.Errorf("nothing is said about: %s", want)
		}
	}
}

func TestAReadmeThatDriftedIsFound(t *testing.T) {
	t.Parallel()
	p := Program{Dir: "services/p", Help: process.Help{Program: "p", Prefix: "P_", Params: []config.Param{
		{Name: "P_TTL", Type: "duration", Default: "60s"}, {Name: "P_MAX", Type: "integer", Default: "3"}, {Name: "P_NEW", Type: "string", Doc: "it is new"},
	}}}
	const readme = "# p\n\n## Parameters and metrics\n\n| parameter | default | meaning |\n|---|---|---|\n" +
		"| `P_TTL`, `P_MAX` | `1m`, `4` | … |\n| `P_TTTL` | as you like | … |\n\n## Proof\n\n| `P_OTHER` | `x` | … |\n"
	found := names(CheckReadme(readme, p), Finding.String)
	for _, want := range []string{"the default of P_MAX is `4`; right would be: `3`", "it tells of P_TTTL, which p does not know", "P_NEW is not in the table"} {
		if !strings.Contains(found, want) {
			t.Errorf("nothing is said about: %s", want)
		}
	}
	if strings.Contains(found, "P_TTL is") || strings.Contains(found, "P_OTHER") {
		t.Errorf("found too much: %s", found)
	}
}

func TestAModuleOfTwoProgramsTellsOfEachUnderItsName(t *testing.T) {
	t.Parallel()
	const readme = "# p\n\n## Parameters and metrics\n\n| `P_TTL` | `60s` | … |\n\n### q\n\n| `Q_MAX` | `3` | … |\n\n## Proof\n"
	for _, p := range []Program{
		{Help: process.Help{Program: "p", Prefix: "P_", Params: []config.Param{{Name: "P_TTL", Type: "duration", Default: "60s"}}}},
		{Help: process.Help{Program: "q", Prefix: "Q_", Params: []config.Param{{Name: "Q_MAX", Type: "integer", Default: "3"}}}},
	} {
		if found := CheckReadme(readme, p); len(found) > 0 {
			t.Errorf("%s: found %v", p.Program, found)
		}
	}
}

package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
)

type Contract struct {
	Listen string        `env:"LISTEN_ADDR" doc:"data listener"`
	Drain  time.Duration `env:"DRAIN_DELAY" envDefault:"3s" doc:"wait before closing"`
}

type sample struct {
	Contract
	Upstream string      `env:"DEMO_UPSTREAM,required" doc:"where requests go"`
	Memory   config.Size `env:"DEMO_MEMORY" envDefault:"64MiB" doc:"limit"`
	Retries  int         `env:"DEMO_RETRIES" envDefault:"2" doc:"tries"`
	Password string      `env:"DEMO_PASSWORD" secret:"true" doc:"of the database"`
}

var spec = config.Spec{
	Program: "demo", Prefix: "DEMO_", Defaults: map[string]string{"LISTEN_ADDR": ":8080"},
	Renamed: map[string]string{"DEMO_ATTEMPTS": "DEMO_RETRIES"},
}

func TestParseTakesDefaultsOfStructAndProgram(t *testing.T) {
	cfg, _, err := config.Parse[sample](spec, map[string]string{"DEMO_UPSTREAM": "a:1", "HOME": "/"})
	if err != nil {
		t.Fatal(err)
	}
	want := sample{Contract{":8080", 3 * time.Second}, "a:1", 64 << 20, 2, ""}
	if cfg != want {
		t.Errorf("%+v, want %+v", cfg, want)
	}
}

func TestParseNamesEveryWrongVariableAtOnce(t *testing.T) {
	_, _, err := config.Parse[sample](spec, map[string]string{
		"DEMO_MEMORY": "64", "DEMO_RETRIES": "two", "DRAIN_DELAY": "5", "DEMO_MEMROY": "1B", "LISTEN_ADRR": ":1",
	})
	var all config.Error
	if !errors.As(err, &all) {
		t.Fatalf("%v is not a config.Error", err)
	}
	for _, want := range []string{
		`DEMO_MEMORY: "64" is not valid: want a size with its unit`,
		`DEMO_RETRIES: "two" is not valid: want an integer`,
		`DRAIN_DELAY: "5" is not valid: want a duration with its unit`,
		`DEMO_UPSTREAM: is required`,
		`DEMO_MEMROY: is no parameter of demo: did you mean DEMO_MEMORY?`,
		`LISTEN_ADRR: is no parameter; did you mean LISTEN_ADDR?`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if len(all) != 6 {
		t.Errorf("%d problems, want 6:\n%v", len(all), err)
	}
}

func TestParseLetsThroughWhatKubernetesInjects(t *testing.T) {
	_, _, err := config.Parse[sample](spec, map[string]string{
		"DEMO_UPSTREAM": "a:1", "DEMO_SERVICE_HOST": "10.0.0.1", "DEMO_SERVICE_PORT_HTTP": "80", "DEMO_PORT": "tcp://10.0.0.1:80",
		"DEMO_PORT_80_TCP": "x", "DEMO_PORT_80_TCP_ADDR": "10.0.0.1",
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRenamedVariableIsReadWithAWarning(t *testing.T) {
	cfg, warnings, err := config.Parse[sample](spec, map[string]string{"DEMO_UPSTREAM": "a:1", "DEMO_ATTEMPTS": "7"})
	if err != nil || cfg.Retries != 7 || len(warnings) != 1 || !strings.Contains(warnings[0], "DEMO_RETRIES") {
		t.Errorf("retries %d, warnings %q, error %v", cfg.Retries, warnings, err)
	}
	// An image sets the default of the new name: the old one, given by a person, wins.
	cfg, _, err = config.Parse[sample](spec, map[string]string{"DEMO_UPSTREAM": "a:1", "DEMO_ATTEMPTS": "7", "DEMO_RETRIES": "2"})
	if err != nil || cfg.Retries != 7 {
		t.Errorf("retries %d, error %v", cfg.Retries, err)
	}
	_, _, err = config.Parse[sample](spec, map[string]string{"DEMO_UPSTREAM": "a:1", "DEMO_ATTEMPTS": "7", "DEMO_RETRIES": "1"})
	if err == nil {
		t.Error("the old and the new name together must be an error")
	}
}

func TestValuesMaskSecrets(t *testing.T) {
	values, err := config.Values(spec, sample{Password: "hunter2", Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if values["DEMO_PASSWORD"] != "***" || values["DEMO_MEMORY"] != "1MiB" {
		t.Errorf("%v", values)
	}
}

func TestDescribeDemandsDocumentation(t *testing.T) {
	type silent struct {
		X string `env:"X"`
	}
	if _, err := config.Describe[silent](config.Spec{Program: "p"}); err == nil {
		t.Error("a parameter without documentation was accepted")
	}
}

func TestSizeRoundTripsAndRefuses(t *testing.T) {
	for in, want := range map[string]config.Size{"0B": 0, "1KiB": 1024, "3MB": 3e6, "1536MiB": 1536 << 20, "2 GiB": 2 << 30} {
		var s, again config.Size
		if err := s.UnmarshalText([]byte(in)); err != nil || s != want {
			t.Errorf("%q: %d, %v", in, s, err)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q does not come back: %v %v", s, again, err)
		}
	}
	for _, in := range []string{"", "12", "-1B", "B", "1.5MiB", "99999999TiB", "1Mib"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q was accepted as %d", in, s)
		}
	}
}

func TestNamedStructsArePrefixed(t *testing.T) {
	type pool struct {
		Size int `env:"POOL_SIZE" envDefault:"4" doc:"connections"`
	}
	type config2 struct {
		Left  pool `envPrefix:"DEMO_LEFT_"`
		Right pool `envPrefix:"DEMO_RIGHT_"`
	}
	cfg, _, err := config.Parse[config2](config.Spec{Program: "demo", Prefix: "DEMO_"}, map[string]string{"DEMO_RIGHT_POOL_SIZE": "9"})
	if err != nil || cfg.Left.Size != 4 || cfg.Right.Size != 9 {
		t.Errorf("%+v %v", cfg, err)
	}
	values, err := config.Values(config.Spec{Program: "demo"}, cfg)
	if err != nil || values["DEMO_RIGHT_POOL_SIZE"] != "9" || values["DEMO_LEFT_POOL_SIZE"] != "4" {
		t.Errorf("%v %v", values, err)
	}
}

func TestAnErrorIsCollected(t *testing.T) {
	var wrong config.Error
	wrong.Want(true, "DEMO_A", "want %d", 1)
	wrong.Invalid(false, "DEMO_B", 1, "2")
	if err := wrong.Err(); err != nil {
		t.Errorf("nothing is wrong, and it says %v", err)
	}
	wrong.Invalid(true, "DEMO_B", 1, "2")
	wrong.Want(false, "DEMO_A", "want %d", 1)
	wrong.Add("DEMO_C", "is wrong")
	wrong.Add("DEMO_A", "and that")
	const want = "configuration:\n  DEMO_A: want 1\n  DEMO_A: and that\n  DEMO_B: 1 is not valid: want 2\n  DEMO_C: is wrong"
	if err := wrong.Err(); err == nil || err.Error() != want {
		t.Errorf("it says\n%v\nwant\n%s", err, want)
	}
}

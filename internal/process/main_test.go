package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
)

type mainConfig struct {
	Contract
	Count int `env:"SAMPLE_COUNT" envDefault:"1" doc:"how many"`
}

var sample = Program{Name: "sample", About: "is a sample", Defaults: map[string]string{"DRAIN_DELAY": "1s"},
	Renamed: map[string]string{"SAMPLE_NUMBER": "SAMPLE_COUNT"}}

func run(t *testing.T, f func(context.Context, mainConfig) error, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(sample, f, args, env, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongEnvironmentExitsWith2AndNamesAll(t *testing.T) {
	code, _, stderr := run(t, nil, []string{"SAMPLE_COUNT=many", "SAMPLE_CUONT=1", "DRAIN_TIMEOUT=10"})
	if code != 2 || !strings.Contains(stderr, "SAMPLE_COUNT") || !strings.Contains(stderr, "SAMPLE_CUONT") || !strings.Contains(stderr, "DRAIN_TIMEOUT") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestAnOldNameIsReadWithOneWarningAndNotBesideTheNewOne(t *testing.T) {
	count := 0
	keep := func(_ context.Context, cfg mainConfig) error { count = cfg.Count; return nil }
	code, _, stderr := run(t, keep, []string{"SAMPLE_NUMBER=7"})
	if code != 0 || count != 7 || stderr != "sample: warning: SAMPLE_NUMBER is now called SAMPLE_COUNT\n" {
		t.Errorf("exit %d, count %d:\n%s", code, count, stderr)
	}
	code, _, stderr = run(t, keep, []string{"SAMPLE_NUMBER=7", "SAMPLE_COUNT=8"})
	if code != 2 || !strings.Contains(stderr, "SAMPLE_NUMBER: is the old name of SAMPLE_COUNT, which is set too; unset it") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestFailureExitsWith1(t *testing.T) {
	code, _, stderr := run(t, func(context.Context, mainConfig) error { return errors.New("no luck") }, nil)
	if code != 1 || !strings.Contains(stderr, "no luck") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestArgumentsAreRefusedWithAdvice(t *testing.T) {
	code, _, stderr := run(t, nil, nil, "--count=3")
	if code != 2 || !strings.Contains(stderr, "environment variables") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestHelpForPeopleAndPrograms(t *testing.T) {
	code, stdout, _ := run(t, nil, nil, "--help")
	if code != 0 || !strings.Contains(stdout, "SAMPLE_COUNT") || !strings.Contains(stdout, "how many") || !strings.Contains(stdout, "SAMPLE_NUMBER is now SAMPLE_COUNT") {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
	code, stdout, _ = run(t, nil, nil, "--help=json")
	var help Help
	if err := json.Unmarshal([]byte(stdout), &help); code != 0 || err != nil {
		t.Fatalf("exit %d: %v\n%s", code, err, stdout)
	}
	byName := map[string]string{}
	for _, p := range help.Params {
		byName[p.Name] = p.Default
	}
	if byName["SAMPLE_COUNT"] != "1" || byName["DRAIN_DELAY"] != "1s" || help.Prefix != "SAMPLE_" || help.Renamed["SAMPLE_NUMBER"] != "SAMPLE_COUNT" {
		t.Errorf("%+v", help)
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	code, _, stderr := run(t, func(ctx context.Context, _ mainConfig) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}, nil)
	if code != 0 {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestHealthcheckAsksTheAdministrationListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusOK
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })}
	go srv.Serve(ln)
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, addr := range []string{ln.Addr().String(), ":" + port, "0.0.0.0:" + port} {
		if code, _, stderr := run(t, nil, []string{"ADMIN_ADDR=" + addr}, "--healthcheck"); code != 0 {
			t.Errorf("%s: exit %d: %s", addr, code, stderr)
		}
	}
	status = http.StatusServiceUnavailable
	if code, _, _ := run(t, nil, []string{"ADMIN_ADDR=" + ln.Addr().String()}, "--healthcheck"); code != 1 {
		t.Errorf("not ready: exit %d, want 1", code)
	}
}

func TestInheritedDescriptorMustBeOne(t *testing.T) {
	for _, addr := range []string{"fd:", "fd:1", "fd:x", "fd:9999"} {
		if ln, err := Listen(t.Context(), addr); err == nil {
			ln.Close()
			t.Errorf("%s was accepted", addr)
		}
	}
}

func TestACommandRunsInPlaceOfTheProgram(t *testing.T) {
	p := sample
	p.Commands = map[string]Command{"count": {About: "N: counts to N", Run: func(args []string, stdout io.Writer) error {
		switch {
		case len(args) != 1:
			return config.Error{{Variable: "N", Message: "is missing"}}
		case args[0] == "0":
			return errors.New("nothing to count")
		}
		_, err := io.WriteString(stdout, "to "+args[0])
		return err
	}}}
	for _, c := range []struct {
		args         []string
		code         int
		stdout, told string
	}{
		{[]string{"count"}, 2, "", "N"}, {[]string{"count", "0"}, 1, "", "nothing to count"}, {[]string{"count", "3"}, 0, "to 3", ""},
		{[]string{"cuont"}, 2, "", "cuont"}, {[]string{"--help"}, 0, "sample count N: counts to N\n", ""},
	} {
		var out, errs bytes.Buffer
		code := execute(p, func(context.Context, mainConfig) error { t.Error("the program ran"); return nil }, c.args, nil, &out, &errs)
		if code != c.code || !strings.Contains(out.String(), c.stdout) || !strings.Contains(errs.String(), c.told) {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, out.String(), errs.String())
		}
	}
}

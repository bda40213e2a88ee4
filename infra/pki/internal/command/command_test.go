package command

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/infra/pki"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func run(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = Execute(context.Background(), args, environ, &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheFirstRunMakesAndTheSecondKeeps(t *testing.T) {
	t.Parallel()
	environ := []string{"PKI_DIR=" + filepath.Join(t.TempDir(), "pki")}
	for _, want := range []string{"made", "kept"} {
		code, out, errs := run(t, environ, "dir", "--json")
		if code != exitOK {
			t.Fatalf("exit %d: %s", code, errs)
		}
		var reports []pki.Report
		if err := json.Unmarshal([]byte(out), &reports); err != nil {
			t.Fatal(err)
		}
		if len(reports) != 8 || reports[0].Action != want {
			t.Errorf("the reports are %+v", reports)
		}
	}
	if code, out, _ := run(t, environ, "show"); code != exitOK || strings.Count(out, "good") != 8 {
		t.Errorf("exit %d, output\n%s", code, out)
	}
	if code, out, _ := run(t, environ, "trust"); code != exitOK || !strings.Contains(out, "SHA-256") {
		t.Errorf("exit %d, output\n%s", code, out)
	}
}

func TestEveryWrongVariableIsNamed(t *testing.T) {
	t.Parallel()
	code, _, errs := run(t, []string{"PKI_LIFETIME=90", "PKI_DIRECTORY=x"}, "dir")
	if code != exitUsage || !strings.Contains(errs, "PKI_LIFETIME") || !strings.Contains(errs, "PKI_DIRECTORY") {
		t.Errorf("exit %d, errors\n%s", code, errs)
	}
}

func TestAWrongCommandIsExitTwo(t *testing.T) {
	t.Parallel()
	if code, _, errs := run(t, nil, "dri"); code != exitUsage || !strings.Contains(errs, "dri") {
		t.Errorf("exit %d, errors\n%s", code, errs)
	}
}

func TestSecretOutsideAClusterSaysSo(t *testing.T) {
	t.Parallel()
	if code, _, errs := run(t, nil, "secret"); code != exitFailed || !strings.Contains(errs, "KUBERNETES_SERVICE_HOST") {
		t.Errorf("exit %d, errors\n%s", code, errs)
	}
}

func TestTrustBeforeTheFirstStartSaysWhatMakesTheCA(t *testing.T) {
	t.Parallel()
	code, _, errs := run(t, []string{"PKI_DIR=" + t.TempDir()}, "trust")
	if code != exitFailed || !strings.Contains(errs, "pki dir") {
		t.Errorf("exit %d, errors\n%s", code, errs)
	}
}

func TestHelpIsForPeopleAndForPrograms(t *testing.T) {
	t.Parallel()
	if code, out, _ := run(t, nil, "--help"); code != exitOK || !strings.Contains(out, "PKI_LIFETIME") || !strings.Contains(out, "trust") {
		t.Errorf("exit %d, output\n%s", code, out)
	}
	code, out, _ := run(t, nil, "--help=json")
	var help process.Help
	if err := json.Unmarshal([]byte(out), &help); code != exitOK || err != nil || help.Program != "pki" || len(help.Params) < 8 {
		t.Errorf("exit %d, error %v, help %+v", code, err, help)
	}
	if code, out, _ := run(t, nil, "--version"); code != exitOK || !strings.HasPrefix(out, "pki ") {
		t.Errorf("exit %d, output %q", code, out)
	}
}

package closedloop

import (
	"errors"
	"testing"
)

func TestAGeneratorThatIsNotInstalledIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Wrk(t.Context(), Load{URL: "http://127.0.0.1:1/"}); !errors.Is(err, ErrNotInstalled) || err.Error() != "wrk is not installed" {
		t.Errorf("%v", err)
	}
	if _, err := H2load(t.Context(), Load{URL: "https://127.0.0.1:1/"}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("%v", err)
	}
}

package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestTheTableShowsTheBooksNumbers(t *testing.T) {
	status, out, _ := command(t, "-leaves", "5,100", "-calls", "100000", "-failure", "0.01", "-overhead", "0", "-gather", "0", "-work", "0", "-wait", "20ms")
	if status != 0 {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{
		`(?m)^ +5 +20000 +20\.0 ms +220\.0 ms +[45]\.\d % +9[456]\.\d % +9[89]\.\d+ % +0\.0 %$`,
		`(?m)^ +100 +1000 +220\.0 ms +220\.0 ms +6\d\.\d % +3\d\.\d % +9[89]\.\d+ % +0\.0 %$`,
		`(?m)^best number of leaves: 5 for the median, 5 for the slowest 1 %$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-leaves 1,x", `"x" is no number`}, {"-leaves 1001", "want 1 to 1000"}, {"-slow 2", "slow: 2"}, {"-work -1ms", "work: -1ms"},
		{"more", "want flags only"}, {"-nothing", "not defined"}, {"-leaves " + strings.Repeat("1,", 100) + "1", "at most 100"},
	} {
		if status, _, errs := command(t, strings.Fields(c.args)...); status != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %q", c.args, status, errs)
		}
	}
	if status, _, errs := command(t, "-h"); status != 0 || !strings.Contains(errs, "-leaves") {
		t.Errorf("help: status %d, %q", status, errs)
	}
}

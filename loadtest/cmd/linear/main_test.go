package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	head = `{"format":"flotilla-history","version":1,"model":"mutex"}` + "\n"
	one  = `{"client":0,"key":"k","do":"acquire","grant":"a","outcome":"ok","call":1,"return":2}` + "\n"
	two  = `{"client":1,"key":"k","do":"acquire","grant":"b","outcome":"ok","call":3,"return":4}` + "\n"
)

func TestTheExitStatusTellsWhatAHistoryIs(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, 2, "want check"},
		{[]string{"draw"}, 2, "want check"},
		{[]string{"check"}, 2, "want one file"},
		{[]string{"check", "-limit", "0s", "x"}, 2, "a limit above 0"},
		{[]string{"check", "-x"}, 2, "not defined"},
		{[]string{"check", filepath.Join(dir, "none")}, 2, "no such file"},
		{[]string{"check", file("cut", head+one[:20])}, 2, "line 2"},
		{[]string{"check", file("empty", head)}, 1, "nothing was recorded"},
		{[]string{"check", file("good", head+one)}, 0, "mutex: 1 operations on 1 keys"},
		{[]string{"check", "-dir", dir, file("bad", head+one+two)}, 1, `mutex "k": no order`},
	} {
		var out, errs bytes.Buffer
		if status := run(c.args, &out, &errs); status != c.status || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%v: status %d, want %d; %s%s", c.args, status, c.status, out.String(), errs.String())
		}
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "history-mutex-*", "history.*")); err != nil || len(kept) != 2 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                                "want move, load or key",
		"moves":                           "want move, load or key",
		"move -from 0":                    "-from 0: want 1 to 1000",
		"move -from 5 -to 5":              "-to 5: want 6 to 1000",
		"move -keys 0":                    "-keys 0: want 1 to 1000000",
		"move x":                          `"x" is no argument of it`,
		"load -shards 1001":               "-shards 1001: want 1 to 1000",
		"load -popular 101":               "-popular 101: want 0 to 100",
		"load -popular half":              "invalid value",
		"key":                             "want at least one target",
		"key -key heder:X /a":             "want uri, path, client, country, header:NAME, cookie:NAME, context:header:NAME or context:cookie:NAME",
		"key -function ring /a":           `"ring" is no order: want one of jump, ketama`,
		"key -client here /a":             "unable to parse IP",
		"key -header X /a":                `"X" is no field: want Name: value`,
		"key index.html":                  "does not begin with a slash",
		"key -countries /nowhere.csv /a":  "read countries: open /nowhere.csv",
		"key -shards 0 -key uri+path+a /": "want uri, path",
	} {
		var stdout, stderr strings.Builder
		if code := run(strings.Fields(args), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) || stdout.String() != "" {
			t.Errorf("%s: exit %d, %q, want %s", args, code, stderr.String(), want)
		}
	}
}

func said(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(args, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	return stdout.String()
}

func TestKeysAreShownWithTheirShards(t *testing.T) {
	t.Parallel()
	out := said(t, "key", "-key", "header:X-Region+cookie:s+path", "-header", "x-region: eu west", "-header", "Cookie: a=1; s=42", "/a?b", "/a?c")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"eu west 42 /a"`) || strings.TrimPrefix(lines[0], "/a?b") != strings.TrimPrefix(lines[1], "/a?c") {
		t.Error(out)
	}
	for client, want := range map[string]string{"203.0.113.9": `"DE /a"`, "127.0.0.1": `" /a"`} {
		if out := said(t, "key", "-key", "country+path", "-client", client, "/a?b"); !strings.Contains(out, want) {
			t.Errorf("%s: %s", client, out)
		}
	}
}

func TestAJoiningShardIsCounted(t *testing.T) {
	t.Parallel()
	out := said(t, "move", "-keys", "20000")
	for _, want := range []string{"modulo               9", "rendezvous           "} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nwant %s", out, want)
		}
	}
	out = said(t, "load", "-popular", "50", "-keys", "20000")
	if !strings.Contains(out, "nginx, bounded       1.25\n") {
		t.Error(out)
	}
	if run([]string{"load", "-h"}, new(strings.Builder), new(strings.Builder)) != 0 {
		t.Error("help is an error")
	}
}

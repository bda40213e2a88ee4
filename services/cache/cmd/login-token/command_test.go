package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/limit"
)

func do(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	if err := run(args, &out); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return strings.TrimSpace(out.String())
}

func TestATokenIsBelievedAndSurvivesOneRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "login")
	key, pub := filepath.Join(dir, "login.key"), filepath.Join(dir, "login.pub")
	do(t, "keys", "-dir", dir)
	first := do(t, "issue", "-key", key, "-subject", "alice")
	believed := func(token string) bool {
		v, err := limit.NewVerifier(limit.VerifierOptions{KeyFile: pub, Audience: "flotilla"})
		if err != nil {
			t.Fatal(err)
		}
		who, ok := v.Login(token)
		return ok && who == limit.OfLogin("alice")
	}
	if !believed(first) {
		t.Error("the token is not believed")
	}
	do(t, "keys", "-dir", dir, "-rotate")
	second := do(t, "issue", "-key", key, "-subject", "alice", "-ttl", time.Minute.String())
	if !believed(first) || !believed(second) {
		t.Error("after a rotation one of the tokens is not believed")
	}
	do(t, "keys", "-dir", dir, "-rotate")
	if believed(first) || !believed(second) {
		t.Error("after two rotations: want the first token to be refused and the second believed")
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", info.Mode(), err)
	}
	if believed(do(t, "issue", "-key", key, "-subject", "alice", "-audience", "elsewhere")) {
		t.Error("a token for another audience is believed")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	dir := t.TempDir()
	do(t, "keys", "-dir", dir)
	for _, args := range [][]string{
		{}, {"sing"}, {"keys"}, {"keys", "-dir", dir}, {"keys", "-dir", t.TempDir(), "-rotate"}, {"keys", "-dir", dir, "x"},
		{"issue"}, {"issue", "-key", dir + "/login.key"}, {"issue", "-key", dir + "/none", "-subject", "a"},
		{"issue", "-key", dir + "/login.pub", "-subject", "a"}, {"issue", "-key", dir + "/login.key", "-subject", "a", "-ttl", "-1h"},
	} {
		if err := run(args, new(strings.Builder)); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	do(t, "help")
}

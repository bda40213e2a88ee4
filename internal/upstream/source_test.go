package upstream

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// replaceFile replaces path atomically.
func replaceFile(t testing.TB, path, content string) {
	t.Helper()
	if err := atomicfile.Write(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func filePool(t testing.TB, o Options, content string) (*Pool, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "endpoints")
	if content != "" {
		replaceFile(t, path, content)
	}
	o.Address = mustParse(t, "file:"+path)
	return start(t, newPool(t, o)), path
}

func members(want string) func(Snapshot) bool {
	return func(s Snapshot) bool { return names(s) == want && s.Problem == "" }
}

func problem(want string) func(Snapshot) bool {
	return func(s Snapshot) bool { return strings.Contains(s.Problem, want) }
}

func TestMissingFileIsSaidAndAwaited(t *testing.T) {
	p, path := filePool(t, Options{}, "")
	await(t, p, "the problem", problem("no such file"))
	if _, err := p.Pick("", nil); !errors.Is(err, ErrNoUpstream) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("pick: %v", err)
	}
	replaceFile(t, path, "d-1 127.0.0.1:1\n")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, p, "the member", members("d-1"))
}

func TestEmptiedOrGarbageFileChangesNothing(t *testing.T) {
	good := "d-1 127.0.0.1:1\nd-2 127.0.0.1:2\n"
	p, path := filePool(t, Options{}, good)
	await(t, p, "two members", members("d-1 d-2"))
	kept := p.members[0]
	for content, reason := range map[string]string{
		"":                           "no endpoint in it",
		"# all gone\n":               "no endpoint in it",
		"\x7fELF\x02\x01\x00\x00\n":  "line 1",
		"d-1 127.0.0.1:1\nd-3 \n":    "line 2",
		"d-1 127.0.0.1:1\nd-1 h:2\n": `"d-1" is there twice`,
	} {
		replaceFile(t, path, content)
		await(t, p, reason, problem(reason))
		if s := p.Snapshot(); names(s) != "d-1 d-2" || s.Usable != 2 {
			t.Fatalf("%q changed the members: %+v", content, s)
		}
		replaceFile(t, path, good)
		await(t, p, "no problem any more", members("d-1 d-2"))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	replaceFile(t, path, "d-2 127.0.0.1:2\nd-1 127.0.0.1:1\nd-3 127.0.0.1:3\n")
	await(t, p, "a third one", members("d-2 d-1 d-3"))
	if p.members[1] != kept {
		t.Error("an endpoint that stayed was replaced")
	}
}

func TestMembershipChangeDoesNotBreakRequestsInFlight(t *testing.T) {
	closed := make(chan *Endpoint, 8)
	o := Options{
		Open:  func(e *Endpoint) any { return "transport of " + e.Name() },
		Close: func(e *Endpoint) { closed <- e },
	}
	p, path := filePool(t, o, "d-1 127.0.0.1:1\nd-2 127.0.0.1:2\n")
	await(t, p, "two members", members("d-1 d-2"))
	var tried Tried
	flying := mustPick(t, p, "", &tried)
	idle := mustPick(t, p, "", &tried)
	idle.Done(OK, 0)

	replaceFile(t, path, "d-3 127.0.0.1:3\n")
	await(t, p, "only the third", members("d-3"))
	if e := <-closed; e != idle {
		t.Fatalf("%s was closed first, it has a request in flight", e.Name())
	}
	s := p.Snapshot()
	if len(s.Draining) != 1 || s.Draining[0].Name != flying.Name() || s.Draining[0].InFlight != 1 {
		t.Errorf("draining: %+v", s.Draining)
	}
	if flying.Attachment() != "transport of "+flying.Name() {
		t.Errorf("attachment: %v", flying.Attachment())
	}
	select {
	case e := <-closed:
		t.Fatalf("%s was closed with a request in flight", e.Name())
	default:
	}
	flying.Done(OK, 0)
	if e := <-closed; e != flying {
		t.Errorf("%s was closed", e.Name())
	}
	if s := p.Snapshot(); len(s.Draining) != 0 {
		t.Errorf("still draining: %+v", s.Draining)
	}
}

// A replica that returns on another port keeps its sessions.
func TestNameKeepsItsKeysWhenTheAddressChanges(t *testing.T) {
	p, path := filePool(t, Options{}, "d-1 127.0.0.1:1\nd-2 127.0.0.1:2\nd-3 127.0.0.1:3\n")
	await(t, p, "three members", members("d-1 d-2 d-3"))
	owner := mustPick(t, p, "session-42", nil)
	old := owner.Addr()
	content := "d-1 127.0.0.1:1\nd-2 127.0.0.1:2\nd-3 127.0.0.1:3\n"
	replaceFile(t, path, strings.Replace(content, old, "127.0.0.9:9", 1))
	await(t, p, "the new address", func(s Snapshot) bool { return len(s.Draining) == 1 })
	if e := mustPick(t, p, "session-42", nil); e.Name() != owner.Name() || e.Addr() != "127.0.0.9:9" {
		t.Errorf("the session moved to %s at %s", e.Name(), e.Addr())
	}
	owner.Done(OK, 0)
}

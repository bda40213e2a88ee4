package source

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports runs a source until the end of the test.
func reports(t *testing.T, s Source) <-chan Report {
	t.Helper()
	ch := make(chan Report, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, func(r Report) { ch <- r })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return ch
}

// await reads reports until one is as wanted.
func await(t *testing.T, ch <-chan Report, state State, addresses ...string) Report {
	t.Helper()
	limit := time.After(15 * time.Second)
	var seen []Report
	for {
		select {
		case r := <-ch:
			if r.State == state && slices.Equal(addressesOf(r), addresses) {
				return r
			}
			seen = append(seen, r)
		case <-limit:
			t.Fatalf("want %s %v; came %+v", state, addresses, seen)
		}
	}
}

func addressesOf(r Report) (all []string) {
	for _, c := range r.Candidates {
		all = append(all, c.Address)
	}
	return all
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestListsAreReadInEveryShape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"db:3306":                     "db:3306",
		"a:1, b:2":                    "a:1 b:2",
		"a:1\nb:2 # the old one\n\n#": "a:1 b:2",
		"mysql-a 127.0.0.1:1 127.0.0.1:2\nmysql-b 127.0.0.1:3": "127.0.0.1:1 127.0.0.1:3",
		"[::1]:3306": "[::1]:3306",
	} {
		candidates, err := ParseList(text)
		if got := strings.Join(addressesOf(Report{Candidates: candidates}), " "); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	named, _ := ParseList("mysql-a 127.0.0.1:1")
	if named[0].Name != "mysql-a" {
		t.Errorf("%+v", named)
	}
	for _, text := range []string{"", "db", "db:0", "db:65536", "a:1,a:1", "http://db:1", "a:1 b", "a b c d", ":1", strings.Repeat("h:1,", 5) + "x", many(17)} {
		if candidates, err := ParseList(text); err == nil {
			t.Errorf("%q: %v", text, candidates)
		}
	}
}

func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, "h:"+string(rune('1'+i/10))+string(rune('0'+i%10)))
	}
	return strings.Join(all, ",")
}

func FuzzParseList(f *testing.F) {
	for _, seed := range []string{"a:1,b:2", "n a:1 a:2\n# x", "[::1]:1", ",,\n#", "a:1 b:2 c:3 d:4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		candidates, err := ParseList(text)
		if err == nil && (len(candidates) == 0 || len(candidates) > MaxCandidates) {
			t.Errorf("%q: %v", text, candidates)
		}
		for _, c := range candidates {
			again, err := ParseList(c.Address)
			if err != nil || again[0].Address != c.Address {
				t.Errorf("%q is not read again: %v, %v", c.Address, again, err)
			}
		}
	})
}

func TestAFileIsFollowedThroughEverythingThatHappensToFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "target")
	ch := reports(t, File{path})
	if r := await(t, ch, Gone); r.Reason == "" {
		t.Error("nothing says why")
	}
	put(t, path, "a:1")
	await(t, ch, Found, "a:1")
	put(t, path, "b:2\na:1\n")
	await(t, ch, Found, "b:2", "a:1")
	put(t, path, "garbage")
	if r := await(t, ch, Failed, "b:2", "a:1"); !strings.Contains(r.Reason, "garbage") {
		t.Errorf("the reason is %q", r.Reason)
	}
	put(t, path, "\n")
	await(t, ch, Gone, "b:2", "a:1")
	put(t, path, "c:3")
	await(t, ch, Found, "c:3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, ch, Gone, "c:3")
}

func TestAMountedBindingIsFollowed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ch := reports(t, Binding{Root: root, Kinds: []string{"mysql"}, Port: "3306"})
	await(t, ch, Gone)
	write := func(e binding.Entries) {
		t.Helper()
		if err := binding.Write(filepath.Join(root, "db"), e); err != nil {
			t.Fatal(err)
		}
	}
	write(binding.Entries{"type": "mysql", "host": "a"})
	if r := await(t, ch, Found, "a:3306"); r.Candidates[0].Name != "db" {
		t.Errorf("%+v", r)
	}
	write(binding.Entries{"type": "mysql", "host": "b", "port": "1"})
	await(t, ch, Found, "b:1")
	write(binding.Entries{"type": "mysql", "port": "1"})
	await(t, ch, Failed, "b:1")
	write(binding.Entries{"type": "postgresql", "host": "c"})
	await(t, ch, Gone, "b:1")
}

// made is a provisioner that fails before it succeeds.
type made struct {
	failures int
	asked    atomic.Int32
}

func (m *made) Provision(context.Context) (binding.Entries, error) {
	if int(m.asked.Add(1)) <= m.failures {
		return nil, errors.New("not yet")
	}
	return binding.Entries{"type": "mysql", "host": "made", "port": "7", "password": "s3cret"}, nil
}

func TestAServiceIsMadeOnceWhenItIsNeededAndRemembered(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "db")
	maker, needed := &made{failures: 1}, make(chan struct{})
	p := Provision{
		Provisioner: maker, Permanent: func(error) bool { return false }, Dir: dir, Port: "3306", Needed: needed,
		Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	ch := reports(t, p)
	await(t, ch, Gone)
	if maker.asked.Load() != 0 {
		t.Error("one was made though none was needed")
	}
	close(needed)
	await(t, ch, Pending)
	await(t, ch, Failed)
	await(t, ch, Found, "made:7")
	again := reports(t, Provision{Provisioner: maker, Dir: dir, Needed: make(chan struct{})})
	await(t, again, Found, "made:7")
	if n := maker.asked.Load(); n != 2 {
		t.Errorf("it was asked %d times, want 2", n)
	}
	if e, err := binding.Read(dir); err != nil || e["password"] != "s3cret" {
		t.Errorf("%v, %v", e, err)
	}
}

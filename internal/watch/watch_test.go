package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start watches path and returns the channel of its contents.
func start(t *testing.T, path string) <-chan string {
	t.Helper()
	seen, err := watch.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got, done := make(chan string, 16), make(chan struct{})
	go func() {
		defer close(done)
		watch.File(ctx, path, seen, func(b []byte) { got <- string(b) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return got
}

func expect(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case g := <-got:
		if g != want {
			t.Fatalf("content %q, want %q", g, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no change seen, want %q", want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileSeesRewriteRenameAndReturn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	got := start(t, path)

	write(t, path, "two")
	expect(t, got, "two")

	write(t, path+".new", "six") // same length: only the rename tells
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	expect(t, got, "six")

	if err := os.Remove(path); err != nil { // vanished is no change
		t.Fatal(err)
	}
	write(t, path, "back")
	expect(t, got, "back")
}

// A look at the moment between the emptying of a file and its writing, or
// between two parts of it, tells nobody anything.
func TestFileIsNotReportedHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			watch.File(ctx, path, []byte("one"), func(b []byte) { got = append(got, string(b)) })
		}()
		time.Sleep(watch.Interval - watch.Settle/2)
		write(t, path, "") // seen at the next look …
		time.Sleep(watch.Settle)
		write(t, path, "tw") // … and other than that when it is looked at again
		time.Sleep(watch.Settle)
		write(t, path, "two")
		time.Sleep(2 * watch.Interval)
		cancel()
		<-done
		if !slices.Equal(got, []string{"two"}) {
			t.Fatalf("reported %q, want only what was wholly written", got)
		}
	})
}

func TestFileSeesSymlinkSwap(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, v, "f"), v)
	}
	data := filepath.Join(dir, "data")
	if err := os.Symlink("v1", data); err != nil {
		t.Fatal(err)
	}
	got := start(t, filepath.Join(data, "f"))
	if err := os.Symlink("v2", data+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data+".new", data); err != nil {
		t.Fatal(err)
	}
	expect(t, got, "v2")
}

// What is larger than a configuration may be has to be asked for.
func TestALargeFileIsFollowedByWhoSaysHowLargeItMayBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "small")
	large := strings.Repeat("x", watch.MaxSize+1)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var small, all []int
		var work sync.WaitGroup
		work.Go(func() { watch.File(ctx, path, []byte("small"), func(b []byte) { small = append(small, len(b)) }) })
		work.Go(func() {
			watch.FileUpTo(ctx, path, watch.MaxSize+1, watch.Of([]byte("small")), func(b []byte) { all = append(all, len(b)) })
		})
		write(t, path, large)
		time.Sleep(3 * watch.Interval)
		write(t, path, large+"x") // is too large for both
		time.Sleep(3 * watch.Interval)
		write(t, path, "other")
		time.Sleep(3 * watch.Interval)
		cancel()
		work.Wait()
		if !slices.Equal(small, []int{5}) || !slices.Equal(all, []int{len(large), 5}) {
			t.Errorf("reported %v and %v", small, all)
		}
	})
}

func TestReadRefusesHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(watch.MaxSize + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := watch.Read(path); err == nil {
		t.Fatal("a file over the limit was read")
	}
}

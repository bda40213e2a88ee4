package fanout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	goleak.VerifyTestMain(m)
}

// quiet drops what the client says about connections that tests break.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// notebook is an Applier that writes down what it is told.
type notebook struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (n *notebook) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notebook) Apply(c Command) (int, error) {
	switch {
	case c.URL != "":
		n.add("url " + c.Host + c.URL)
	case c.Ban != "":
		n.add("ban " + c.Host + c.Ban)
		if c.Ban == "refused" {
			return 0, errors.New("no such pattern")
		}
	default:
		n.add("keys " + strings.Join(c.Keys, " "))
	}
	return len(c.URL) + len(c.Keys), nil
}

func (n *notebook) Flush() { n.add("flush") }

func (n *notebook) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

// replica is a Fanout that runs until the test ends, or stop.
type replica struct {
	*Fanout
	did  *notebook
	stop func()
}

func start(t *testing.T, o *redis.Options, maxLen int64) *replica {
	t.Helper()
	r := &replica{did: &notebook{}}
	var err error
	if r.Fanout, err = New(Options{Redis: o, Instance: t.Name(), MaxLen: maxLen, Applier: r.did}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = r.Run(ctx); close(done) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

func (r *replica) current(t *testing.T) *replica {
	t.Helper()
	await.That(t, "current", r.Current)
	return r
}

func publish(t *testing.T, r *replica, c Command) Receipt {
	t.Helper()
	got, err := r.Publish(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// server is a redis-server of one test.
type server struct {
	program string
	addr    string
	cmd     *exec.Cmd
	dir     string
}

func startServer(t *testing.T) *server {
	t.Helper()
	program := realserver.Find(t, "redis-server", "nothing was tried with the real one")
	dir, err := os.MkdirTemp("", "fanout") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{program: program, addr: filepath.Join(dir, "s"), dir: dir}
	s.run(t)
	t.Cleanup(s.kill)
	return s
}

func (s *server) run(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.program, "--port", "0", "--unixsocket", s.addr, "--save", "", "--appendonly", "no", "--dir", s.dir)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(s.options())
	defer c.Close()
	await.That(t, "redis-server answers", func() bool { return c.Ping(t.Context()).Err() == nil })
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) options() *redis.Options { return &redis.Options{Network: "unix", Addr: s.addr} }

// both runs a test with the embedded and with the real server.
func both(t *testing.T, test func(t *testing.T, o *redis.Options)) {
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t).options())
	})
}

// want compares what replicas did.
func want(t *testing.T, lines []string, replicas ...*replica) {
	t.Helper()
	for i, r := range replicas {
		await.That(t, fmt.Sprintf("replica %d did %q, it did %q", i, lines, r.did.all()), func() bool { return len(r.did.all()) >= len(lines) })
		if got := r.did.all(); !slices.Equal(got, lines) {
			t.Errorf("replica %d did %q, want %q", i, got, lines)
		}
	}
}

func TestEveryReplicaAppliesEveryCommandInOrder(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		a, b := start(t, o, 0).current(t), start(t, o, 0).current(t)
		if got := publish(t, a, Command{URL: "https://x.localhost/dog"}); !got.Applied || got.Removed != len("https://x.localhost/dog") {
			t.Errorf("%+v", got)
		}
		publish(t, b, Command{Ban: "^/v1/", Host: "x"})
		publish(t, a, Command{Keys: []string{"k1", "k2"}})
		lines := []string{"flush", "url https://x.localhost/dog", "ban x^/v1/", "keys k1 k2"}
		want(t, lines, a, b)
		late := start(t, o, 0).current(t)
		publish(t, late, Command{URL: "/cat"})
		want(t, []string{"flush", "url /cat"}, late)
		want(t, append(lines, "url /cat"), a, b)
	})
}

func TestConcurrentPublishersLoseAndDoubleNothing(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		replicas := []*replica{start(t, o, 0).current(t), start(t, o, 0).current(t), start(t, o, 0).current(t)}
		const each, publishers = 40, 6
		var all sync.WaitGroup
		var ids sync.Map
		for p := range publishers {
			all.Go(func() {
				for i := range each {
					got, err := replicas[p%3].Publish(t.Context(), Command{URL: fmt.Sprintf("/%d/%d", p, i)})
					if err != nil || !got.Applied {
						t.Errorf("publish: %+v, %v", got, err)
					}
					if _, twice := ids.LoadOrStore(got.ID, true); twice {
						t.Errorf("id %s twice", got.ID)
					}
				}
			})
		}
		all.Wait()
		for _, r := range replicas {
			await.That(t, "all applied", func() bool { return len(r.did.all()) >= 1+each*publishers })
			if !slices.Equal(r.did.all(), replicas[0].did.all()) {
				t.Error("two replicas applied different commands, or in another order")
			}
		}
		seen, next := map[string]bool{}, map[string]int{}
		for _, line := range replicas[0].did.all()[1:] {
			if seen[line] {
				t.Errorf("%s twice", line)
			}
			seen[line] = true
			var p string
			var i int
			if _, err := fmt.Sscanf(strings.ReplaceAll(line, "/", " "), "url %s %d", &p, &i); err != nil || next[p] != i {
				t.Errorf("%s: not in the order of its publisher", line)
			}
			next[p]++
		}
	})
}

func TestAReplicaThatMissedTrimmedCommandsFlushes(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		for _, keep := range []int64{0, 2} {
			o := *o
			a := start(t, &o, 0).current(t)
			hold := &sync.Mutex{}
			slow, err := New(Options{Redis: &o, Applier: &notebook{}})
			if err != nil {
				t.Fatal(err)
			}
			slow.o.Applier = blocking{slow.o.Applier.(*notebook), hold}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { _ = slow.Run(ctx); close(done) }()
			await.That(t, "current", slow.Current)
			hold.Lock() // from here it stands at its next command
			for i := range 5 {
				publish(t, a, Command{URL: fmt.Sprint("/", i)})
			}
			if err := a.stream.client.XTrimMaxLen(t.Context(), a.stream.keys[1], keep).Err(); err != nil {
				t.Fatal(err)
			}
			await.That(t, "not current while it is behind", func() bool { return !slow.Current() })
			hold.Unlock()
			await.That(t, "it has caught up", func() bool { return slow.Current() && slow.Status().Applied == 5 })
			lines := slow.o.Applier.(blocking).all()
			if keep == 2 && slices.Contains(lines[1:], "flush") && testutil.ToFloat64(slow.metrics.flushes.WithLabelValues("trimmed")) != 1 {
				t.Errorf("it did %q, and counted no flush as trimmed", lines)
			}
			if last := lines[len(lines)-1]; !slices.Contains(lines[1:], "flush") && last != "url /4" {
				t.Errorf("kept %d: it did %q and missed some", keep, lines)
			}
			cancel()
			<-done
			if err := a.stream.client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			a.stop()
		}
	})
}

// blocking is an Applier whose purges wait.
type blocking struct {
	*notebook
	hold *sync.Mutex
}

func (b blocking) Apply(c Command) (int, error) {
	b.hold.Lock()
	defer b.hold.Unlock()
	return b.notebook.Apply(c)
}

func TestAReplicaCutOffIsNotCurrentAndCatchesUpWithoutAFlush(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		wire, through := lay(t, o)
		a, b := start(t, o, 0).current(t), start(t, through, 0).current(t)
		wire.Cut()
		cut := time.Now()
		await.That(t, "not current", func() bool { return !b.Current() })
		if took := time.Since(cut); took > Window/2 {
			t.Errorf("current for %v after the connection broke, want that it ends at once", took)
		}
		for i := range 250 { // more than one round reads
			publish(t, a, Command{URL: fmt.Sprint("/", i)})
		}
		if n := len(b.did.all()); n != 1 {
			t.Errorf("%d commands reached the replica that is cut off", n)
		}
		wire.Mend()
		b.current(t)
		if got := b.did.all(); !slices.Equal(got, a.did.all()) {
			t.Errorf("it is current, and did %d of %d", len(got), len(a.did.all()))
		}
		if s := b.Status(); s.Lag != 0 || !s.Current {
			t.Errorf("%+v", s)
		}
	})
}

func TestRealRedisThatHangsEndsBeingCurrentInTime(t *testing.T) {
	srv := startServer(t)
	a := start(t, srv.options(), 0).current(t)
	if err := srv.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	await.That(t, "not current", func() bool { return !a.Current() })
	if took := time.Since(stopped); took > Window+200*time.Millisecond {
		t.Errorf("current for %v after Redis stopped, want at most %v", took, Window)
	}
	_, err := a.Publish(t.Context(), Command{URL: "/dog"})
	var failure *Error
	if !errors.As(err, &failure) || !failure.Unknown {
		t.Errorf("published to a Redis that hangs: %v, want an unknown outcome", err)
	}
	if err := srv.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.current(t)
}

func TestRealRedisThatLostItsDataMakesEveryReplicaFlush(t *testing.T) {
	srv := startServer(t)
	a, b := start(t, srv.options(), 0).current(t), start(t, srv.options(), 0).current(t)
	publish(t, a, Command{URL: "/dog"})
	want(t, []string{"flush", "url /dog"}, a, b)
	srv.kill()
	await.That(t, "not current", func() bool { return !a.Current() && !b.Current() })
	_, err := a.Publish(t.Context(), Command{URL: "/cat"})
	var failure *Error
	if !errors.As(err, &failure) || failure.Unknown {
		t.Errorf("published without Redis: %v, want that nothing was recorded", err)
	}
	srv.run(t)
	a.current(t)
	b.current(t)
	publish(t, b, Command{URL: "/cow"})
	want(t, []string{"flush", "url /dog", "flush", "url /cow"}, a, b)
	if a.Status().Epoch != b.Status().Epoch {
		t.Error("two replicas follow different streams")
	}
}

func TestAStreamThatWasEmptiedOrRestoredIsNoticed(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		a := start(t, o, 0).current(t)
		for i := range 3 {
			publish(t, a, Command{URL: fmt.Sprint("/", i)})
		}
		ctx, c, keys := t.Context(), a.stream.client, a.stream.keys
		saved := c.HGetAll(ctx, keys[0]).Val()
		publish(t, a, Command{URL: "/3"})
		want(t, []string{"flush", "url /0", "url /1", "url /2", "url /3"}, a)
		// As after a restart from a snapshot: number 4 was given away already, and is given again.
		pipe := c.TxPipeline()
		pipe.XDel(ctx, keys[1], "4-0")
		pipe.HSet(ctx, keys[0], saved)
		pipe.Del(ctx, keys[1])
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		other := start(t, o, 0).current(t)
		publish(t, other, Command{URL: "/another"})
		await.That(t, "a second flush", func() bool { return slices.Contains(a.did.all()[5:], "flush") })
		before := len(a.did.all())
		publish(t, other, Command{URL: "/more"})
		await.That(t, "in step again", func() bool { return len(a.did.all()) > before })
		if got := a.did.all()[before:]; !slices.Equal(got, []string{"url /more"}) {
			t.Errorf("after the flush it did %q", got)
		}
		if err := c.Del(ctx, keys...).Err(); err != nil {
			t.Fatal(err)
		}
		before = len(a.did.all())
		await.That(t, "a flush after all keys went", func() bool { return slices.Contains(a.did.all()[before:], "flush") })
		a.current(t)
	})
}

func TestARecordNotUnderstoodOrRefusedFlushes(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		a := start(t, o, 0).current(t)
		for _, text := range []string{`{"v":2,"url":"/dog"}`, `garbage`, `{"v":1}`} {
			before := len(a.did.all())
			if _, err := a.stream.add(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			await.That(t, "flush for "+text, func() bool { return len(a.did.all()) == before+1 })
			if got := a.did.all()[before]; got != "flush" {
				t.Errorf("%s: %s", text, got)
			}
		}
		publish(t, a, Command{Ban: "refused"})
		want(t, []string{"flush", "flush", "flush", "flush", "ban refused", "flush"}, a)
	})
}

func TestAReplicaThatStartsWithoutRedisBecomesCurrentLater(t *testing.T) {
	addr := nettest.Refuse(t)
	a := start(t, &redis.Options{Addr: addr}, 0)
	if a.Current() {
		t.Error("current without having reached Redis")
	}
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	a.current(t)
	want(t, []string{"flush"}, a)
}

func TestWithoutRedisCommandsApplyHere(t *testing.T) {
	a := start(t, nil, 0)
	if !a.Current() {
		t.Error("not current")
	}
	first, second := publish(t, a, Command{URL: "/dog"}), publish(t, a, Command{Keys: []string{"k"}})
	if !first.Applied || first.Removed != 4 || first.ID == second.ID {
		t.Errorf("%+v, %+v", first, second)
	}
	want(t, []string{"url /dog", "keys k"}, a)
}

func TestTheStreamIsBounded(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		a := start(t, o, 50).current(t)
		for i := range 500 {
			await.That(t, "added", func() bool {
				_, err := a.stream.add(t.Context(), fmt.Sprintf(`{"v":1,"url":"/%d"}`, i))
				return err == nil // a slow machine may add one twice
			})
		}
		if n := a.stream.client.XLen(t.Context(), a.stream.keys[1]).Val(); n > 250 { // trimmed by whole nodes of 100
			t.Errorf("%d records, want about 50", n)
		}
		await.That(t, "all applied or flushed", func() bool { return a.Status().Applied >= 500 })
	})
}

func TestToReachWhatWasRecordedProvesThatMoment(t *testing.T) {
	f, err := New(Options{Applier: &notebook{}})
	if err != nil {
		t.Fatal(err)
	}
	w := follower{f: f, at: position{epoch: "e", seq: 10}}
	for i, step := range []struct {
		applied, recorded int64
		sent, fresh       time.Duration
	}{
		{10, 12, 1 * time.Second, 0},
		{11, 14, 2 * time.Second, 0},
		{12, 15, 3 * time.Second, 1*time.Second + Window}, // it has all of the first look
		{14, 17, 4 * time.Second, 1*time.Second + Window},
		{15, 18, 5 * time.Second, 3*time.Second + Window},
		{18, 18, 6 * time.Second, 6*time.Second + Window},
	} {
		if i == 0 {
			f.fresh.Store(0)
		}
		w.at.seq = step.applied
		w.compare(position{epoch: "e", seq: step.recorded}, true, step.sent)
		if got := time.Duration(f.fresh.Load()); got != step.fresh {
			t.Errorf("step %d: current until %v, want %v", i, got, step.fresh)
		}
	}
}

// A steady stream of commands must not keep a replica from being current.
func TestUnderASteadyStreamOfCommandsReplicasStayCurrent(t *testing.T) {
	both(t, func(t *testing.T, o *redis.Options) {
		a, b := start(t, o, 0).current(t), start(t, o, 0).current(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*Window)
		defer cancel()
		for i := 0; ctx.Err() == nil; i++ {
			await.That(t, "added", func() bool {
				_, err := a.stream.add(t.Context(), fmt.Sprintf(`{"v":1,"url":"/%d"}`, i))
				return err == nil // a slow machine may add one twice
			})
			if !b.Current() {
				t.Fatalf("not current: %+v", b.Status())
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	b.ReportAllocs()
	m := miniredis.RunT(b)
	addr := &redis.Options{Addr: m.Addr()}
	did := &notebook{}
	f, err := New(Options{Redis: addr, Applier: did})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { _ = f.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	for b.Loop() {
		if got, err := f.Publish(b.Context(), Command{URL: "/dog"}); err != nil || !got.Applied && f.Current() {
			b.Fatal(got, err)
		}
	}
}

func BenchmarkCurrent(b *testing.B) {
	f := &Fanout{start: time.Now()}
	f.fresh.Store(int64(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if !f.Current() {
			b.Fatal("not current")
		}
	}
}

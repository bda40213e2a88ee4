package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

// following runs a follower and keeps what it tells.
type following struct {
	*testing.T
	mu        sync.Mutex // guards all below
	snapshots []Snapshot
	losses    []error
}

func follow(t *testing.T, addr string, f Follower) *following {
	t.Helper()
	return followMembers(t, []string{addr}, f)
}

func followMembers(t *testing.T, addrs []string, f Follower) *following {
	t.Helper()
	client, err := etcdclient.Settings{Endpoints: addrs, Access: etcdclient.Access{Timeout: time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := &following{T: t}
	f.Etcd, f.Timeout = client, time.Second
	if f.MaxKeys == 0 {
		f.MaxKeys = 10
	}
	f.Seen = func(_ context.Context, s Snapshot) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.snapshots = append(seen.snapshots, s)
	}
	f.Lost = func(err error) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.losses = append(seen.losses, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		client.Close()
	})
	return seen
}

// last is the last snapshot as "key=value/version …".
func (f *following) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.snapshots) == 0 {
		return "none"
	}
	return text(f.snapshots[len(f.snapshots)-1])
}

func text(s Snapshot) string {
	var all []string
	for _, e := range s.Entries {
		all = append(all, fmt.Sprintf("%s=%s/%d", e.Key, e.Value, e.Version))
	}
	return strings.Join(all, " ")
}

func (f *following) want(want string) {
	f.Helper()
	await.That(f.T, "the last snapshot is "+want, func() bool { return f.last() == want })
}

func (f *following) lost() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]error(nil), f.losses...)
}

func put(t *testing.T, c *clientv3.Client, key, value string) int64 {
	t.Helper()
	resp, err := c.Put(etcdtest.Context(t), key, value)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

func TestEveryChangeIsSeenAndATransactionAsOne(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	put(t, c, "dir/a", "1")
	put(t, c, "dirt", "not below")
	f := follow(t, etcd.Addr, Follower{Key: "dir/", Prefix: true, Resync: time.Hour})
	f.want("dir/a=1/1")
	if _, err := c.Txn(etcdtest.Context(t)).Then(clientv3.OpPut("dir/a", "2"), clientv3.OpPut("dir/b", "1")).Commit(); err != nil {
		t.Fatal(err)
	}
	f.want("dir/a=2/2 dir/b=1/1")
	if _, err := c.Delete(etcdtest.Context(t), "dir/a"); err != nil {
		t.Fatal(err)
	}
	f.want("dir/b=1/1")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.snapshots {
		if got := text(s); got == "dir/a=2/2" || got == "dir/a=1/1 dir/b=1/1" {
			t.Errorf("half of a transaction was seen: %s", got)
		}
	}
}

func TestOneKeyIsNotAPrefix(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	f := follow(t, etcd.Addr, Follower{Key: "a", Resync: time.Hour})
	f.want("")
	put(t, c, "ab", "other")
	put(t, c, "a", "1")
	f.want("a=1/1")
}

func TestAnEtcdThatIsAwayIsToldAndFollowedAgain(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	etcd.Kill()
	f := follow(t, etcd.Addr, Follower{Key: "a", Resync: 300 * time.Millisecond})
	await.That(t, "the loss is told at start", func() bool { return len(f.lost()) > 0 })
	etcd.Start()
	put(t, etcd.Client(), "a", "1")
	f.want("a=1/1")
	before := len(f.lost())
	etcd.Pause()
	await.That(t, "the loss is told later", func() bool { return len(f.lost()) > before })
	etcd.Resume()
	put(t, etcd.Client(), "a", "2")
	f.want("a=2/2")
}

// The member that a watch is at is cut off from the others, and the connection to it stays.
// It will never hear of anything again, and must say so.
func TestAWatchAtAMemberThatIsCutOffGoesOnElsewhere(t *testing.T) {
	members := etcdtest.StartThree(t, program)
	put(t, members[0].Client(), "a", "1")
	wire, err := cable.Lay("tcp", members[1].Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	wire.Cut() // so the watch is at the first one
	f := followMembers(t, []string{members[0].Addr, wire.Addr()}, Follower{Key: "a", Resync: time.Hour})
	f.want("a=1/1")
	put(t, members[2].Client(), "a", "2")
	f.want("a=2/2") // by the watch: a list comes after an hour
	members[0].CutOff()
	wire.Mend()
	put(t, members[2].Client(), "a", "3")
	f.want("a=3/3")
	if lost := f.lost(); len(lost) == 0 || !errors.Is(lost[0], rpctypes.ErrNoLeader) {
		t.Errorf("it was not told that there is no leader: %v", lost)
	}
}

func TestAfterACompactionItListsAgain(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	wire, err := cable.Lay("tcp", etcd.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	put(t, c, "a", "1")
	f := follow(t, wire.Addr(), Follower{Key: "a", Resync: time.Hour})
	f.want("a=1/1")
	wire.Cut()
	put(t, c, "a", "2")
	if _, err := c.Compact(etcdtest.Context(t), put(t, c, "a", "3")); err != nil {
		t.Fatal(err)
	}
	wire.Mend()
	f.want("a=3/3")
	if lost := f.lost(); len(lost) > 0 {
		t.Errorf("a compaction is no loss: %v", lost)
	}
}

func TestAWatchFromACompactedRevisionEnds(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	old := put(t, c, "a", "1")
	put(t, c, "a", "2")
	if _, err := c.Compact(etcdtest.Context(t), put(t, c, "a", "3")); err != nil {
		t.Fatal(err)
	}
	f := &Follower{Etcd: c, Key: "a", Resync: time.Minute, MaxKeys: 1}
	if err := f.watch(t.Context(), &view{revision: old - 1, entries: map[string]Entry{}}); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("%v", err)
	}
}

func TestTooManyKeysAreNotTakenInPart(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	put(t, c, "a/1", "x")
	put(t, c, "a/2", "x")
	f := follow(t, etcd.Addr, Follower{Key: "a/", Prefix: true, MaxKeys: 2, Resync: 200 * time.Millisecond})
	f.want("a/1=x/1 a/2=x/1")
	put(t, c, "a/3", "x")
	await.That(t, "it is told", func() bool {
		lost := f.lost()
		return len(lost) > 0 && errors.Is(lost[len(lost)-1], ErrTooMany)
	})
	if got := f.last(); got != "a/1=x/1 a/2=x/1" {
		t.Errorf("the last snapshot is %s", got)
	}
	if _, err := c.Delete(etcdtest.Context(t), "a/1"); err != nil {
		t.Fatal(err)
	}
	f.want("a/2=x/1 a/3=x/1")
}

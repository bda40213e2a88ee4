package etcd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// One suite runs over the embedded etcd, with one member and with three, and over
// the real one, by the client that the fleet uses.
func TestConformanceOfTheEmbeddedServer(t *testing.T) { conform(t, start(t, nil).data) }
func TestConformanceOfThreeMembers(t *testing.T)      { conform(t, three(t).data) }
func TestConformanceOfTheRealServer(t *testing.T)     { conform(t, realServer(t)) }

func conform(t *testing.T, addr string) {
	t.Helper()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, connect(t, addr)) })
	}
}

// realServer starts etcd, where it is installed.
func realServer(t *testing.T) string {
	t.Helper()
	program := realserver.Find(t, "etcd", "the embedded one is NOT compared with it here")
	client, peer := "http://"+nettest.Refuse(t), "http://"+nettest.Refuse(t)
	cmd := exec.Command(program, "--data-dir", t.TempDir(), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--heartbeat-interval", "100", "--election-timeout", "600")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // ETCD_… would be parameters of it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended already when this fails
		_ = cmd.Wait()         // by a signal, which counts as an error
	})
	await.That(t, "the real server is healthy", func() bool { status, _ := ask("GET", client+"/health"); return status == 200 })
	return client
}

var suite = map[string]func(*testing.T, *clientv3.Client){
	"ATransactionComparesAndSets":          transaction,
	"AKeyCountsItsVersions":                versions,
	"ABinaryValueComesBack":                binary,
	"APrefixIsListedInOrder":               prefixes,
	"AWatchSeesATransactionAsOne":          watch,
	"AWatchResumesFromARevision":           resume,
	"AWatchOfWhatIsCompactedSaysSo":        compacted,
	"ALeaseOfOneSecondExpires":             lease,
	"ALeaseThatIsKeptAliveStays":           keepAlive,
	"ALockIsHeldByOne":                     lock,
	"AnElectionHasOneLeader":               elect,
	"ARequestThatIsTooLargeIsRefused":      tooLarge,
	"AReadOfAnOldRevisionIsThatOfItsTime":  past,
	"AnUnknownLeaseIsAnErrorWithItsName":   unknownLease,
	"ADeletedRangeIsGoneAndWatchersHearIt": deleted,
}

func put(t *testing.T, c *clientv3.Client, key, value string, opts ...clientv3.OpOption) int64 {
	t.Helper()
	resp, err := c.Put(deadline(t), key, value, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

func get(t *testing.T, c *clientv3.Client, key string, opts ...clientv3.OpOption) []*mvccpb.KeyValue {
	t.Helper()
	resp, err := c.Get(deadline(t), key, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Kvs
}

func transaction(t *testing.T, c *clientv3.Client) {
	try := func(rev int64) bool {
		resp, err := c.Txn(deadline(t)).If(clientv3.Compare(clientv3.ModRevision("txn"), "=", rev)).Then(clientv3.OpPut("txn", "v")).Commit()
		if err != nil {
			t.Fatal(err)
		}
		return resp.Succeeded
	}
	if !try(0) || try(0) {
		t.Error("a key is made twice")
	}
	if !try(get(t, c, "txn")[0].ModRevision) || try(1) {
		t.Error("a stale revision is taken for the present one")
	}
}

func versions(t *testing.T, c *clientv3.Client) {
	for want := int64(1); want <= 3; want++ {
		put(t, c, "counted", "v")
		if got := get(t, c, "counted")[0].Version; got != want {
			t.Errorf("version %d, want %d", got, want)
		}
	}
}

func binary(t *testing.T, c *clientv3.Client) {
	value := bytes.Repeat([]byte{0, 0xff, '\r', '\n'}, 1<<18) // 1 MiB
	put(t, c, "binary\x00key", string(value))
	if got := get(t, c, "binary\x00key")[0].Value; !bytes.Equal(got, value) {
		t.Errorf("%d bytes come back, not the same", len(got))
	}
}

func prefixes(t *testing.T, c *clientv3.Client) {
	for _, key := range []string{"list/b", "list/a", "list/c/d", "lisu"} {
		put(t, c, key, "v")
	}
	var keys string
	for _, kv := range get(t, c, "list/", clientv3.WithPrefix(), clientv3.WithKeysOnly()) {
		keys += string(kv.Key) + " "
	}
	if keys != "list/a list/b list/c/d " {
		t.Errorf("the keys are %s", keys)
	}
}

func watching(t *testing.T, c *clientv3.Client, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	t.Helper()
	w := c.Watch(clientv3.WithRequireLeader(deadline(t)), key, append(opts, clientv3.WithCreatedNotify())...)
	if created := <-w; !created.Created {
		t.Fatalf("%+v, %v", created, created.Err())
	}
	return w
}

func watch(t *testing.T, c *clientv3.Client) {
	w := watching(t, c, "watched/", clientv3.WithPrefix())
	if _, err := c.Txn(deadline(t)).Then(clientv3.OpPut("watched/a", "1"), clientv3.OpPut("watched/b", "2")).Commit(); err != nil {
		t.Fatal(err)
	}
	if got := <-w; len(got.Events) != 2 || got.Events[0].Kv.ModRevision != got.Events[1].Kv.ModRevision {
		t.Errorf("%+v", got)
	}
}

func resume(t *testing.T, c *clientv3.Client) {
	first := put(t, c, "resumed", "1")
	put(t, c, "resumed", "2")
	w := watching(t, c, "resumed", clientv3.WithRev(first))
	var values string
	for len(values) < 2 { // by one answer or by two
		got := <-w
		if got.Err() != nil || len(got.Events) == 0 {
			t.Fatalf("%+v, %v", got, got.Err())
		}
		for _, e := range got.Events {
			values += string(e.Kv.Value)
		}
	}
	if values != "12" {
		t.Errorf("the values are %s", values)
	}
}

func compacted(t *testing.T, c *clientv3.Client) {
	old := put(t, c, "compacted", "1")
	put(t, c, "compacted", "2")
	now := put(t, c, "compacted", "3")
	if _, err := c.Compact(deadline(t), now); err != nil {
		t.Fatal(err)
	}
	got := <-c.Watch(deadline(t), "compacted", clientv3.WithRev(old))
	if !errors.Is(got.Err(), rpctypes.ErrCompacted) || got.CompactRevision != now {
		t.Errorf("%+v, %v", got, got.Err())
	}
}

func lease(t *testing.T, c *clientv3.Client) {
	granted, err := c.Grant(deadline(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if granted.TTL != 1 {
		t.Errorf("a lease of 1 s is granted for %d s", granted.TTL)
	}
	w := watching(t, c, "leased")
	put(t, c, "leased", "v", clientv3.WithLease(granted.ID))
	since := time.Now()
	if got := <-w; len(got.Events) != 1 || got.Events[0].Type != clientv3.EventTypePut {
		t.Fatalf("%+v", got)
	}
	if got := <-w; len(got.Events) != 1 || got.Events[0].Type != clientv3.EventTypeDelete {
		t.Fatalf("%+v", got)
	}
	if took := time.Since(since); took < 900*time.Millisecond || took > 10*time.Second {
		t.Errorf("it expired after %v", took)
	}
}

func keepAlive(t *testing.T, c *clientv3.Client) {
	granted, err := c.Grant(deadline(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "kept", "v", clientv3.WithLease(granted.ID))
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	alive, err := c.KeepAlive(ctx, granted.ID)
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(2500 * time.Millisecond); time.Now().Before(until); {
		if <-alive == nil {
			t.Fatal("the lease ended")
		}
	}
	if len(get(t, c, "kept")) != 1 {
		t.Error("the key is gone")
	}
}

func session(t *testing.T, c *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, concurrency.WithTTL(5), concurrency.WithContext(deadline(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the lease ends with it or by itself
	return s
}

func lock(t *testing.T, c *clientv3.Client) {
	first, second := concurrency.NewMutex(session(t, c), "mutex"), concurrency.NewMutex(session(t, c), "mutex")
	if err := first.Lock(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(deadline(t)); !errors.Is(err, concurrency.ErrLocked) {
		t.Errorf("it is locked twice: %v", err)
	}
	if err := first.Unlock(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(deadline(t)); err != nil {
		t.Error(err)
	}
}

func elect(t *testing.T, c *clientv3.Client) {
	first, second := concurrency.NewElection(session(t, c), "election"), concurrency.NewElection(session(t, c), "election")
	if err := first.Campaign(deadline(t), "first"); err != nil {
		t.Fatal(err)
	}
	elected := make(chan error, 1)
	go func() { elected <- second.Campaign(deadline(t), "second") }()
	if leader, err := first.Leader(deadline(t)); err != nil || string(leader.Kvs[0].Value) != "first" {
		t.Errorf("%v, %v", leader, err)
	}
	if err := first.Resign(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-elected; err != nil {
		t.Error(err)
	}
}

func tooLarge(t *testing.T, c *clientv3.Client) {
	_, err := c.Put(deadline(t), "large", string(make([]byte, 1600<<10)))
	if !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Errorf("%v", err)
	}
}

func past(t *testing.T, c *clientv3.Client) {
	then := put(t, c, "past", "old")
	put(t, c, "past", "new")
	if got := string(get(t, c, "past", clientv3.WithRev(then))[0].Value); got != "old" {
		t.Errorf("then it was %s", got)
	}
}

func unknownLease(t *testing.T, c *clientv3.Client) {
	if _, err := c.Revoke(deadline(t), 4711); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		t.Errorf("%v", err)
	}
}

func deleted(t *testing.T, c *clientv3.Client) {
	put(t, c, "deleted/a", "1")
	put(t, c, "deleted/b", "2")
	w := watching(t, c, "deleted/", clientv3.WithPrefix())
	if resp, err := c.Delete(deadline(t), "deleted/", clientv3.WithPrefix()); err != nil || resp.Deleted != 2 {
		t.Errorf("%+v, %v", resp, err)
	}
	if got := <-w; len(got.Events) != 2 || got.Events[1].Type != clientv3.EventTypeDelete {
		t.Errorf("%+v", got)
	}
}

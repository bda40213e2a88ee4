package etcdstore

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/storetest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

func client(t *testing.T, addr string) *Store {
	t.Helper()
	c, err := etcdclient.Settings{Endpoints: []string{addr}, Access: etcdclient.Access{Timeout: 5 * time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	return &Store{Etcd: c, Prefix: "/test/", Timeout: 5 * time.Second}
}

func TestConformanceOverTheEmbeddedServer(t *testing.T) {
	server := etcdtest.Start(t, program)
	storetest.Run(t, func(t *testing.T) lease.Store { return client(t, server.Addr) })
}

func TestConformanceOverTheRealServer(t *testing.T) {
	addr := realServer(t)
	storetest.Run(t, func(t *testing.T) lease.Store { return client(t, addr) })
}

// realServer starts etcd, where it is installed, with leases as short as those of the
// embedded one.
func realServer(t *testing.T) string {
	t.Helper()
	program := realserver.Find(t, "etcd", "locks are tried on the embedded etcd only")
	addr, peer := nettest.Refuse(t), "http://"+nettest.Refuse(t)
	url := "http://" + addr
	cmd := exec.Command(program, "--data-dir", t.TempDir(), "--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--heartbeat-interval", "100", "--election-timeout", "600")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // ETCD_… would be parameters of it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended already when this fails
		_ = cmd.Wait()         // by a signal, which counts as an error
	})
	asker := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	await.That(t, "the real server is healthy", func() bool {
		resp, err := asker.Get(url + "/health")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	return addr
}

func acquire(t *testing.T, s *Store, holder string) lease.Grant {
	t.Helper()
	g, err := lease.Lock{Store: s, Name: "n", Holder: holder, TTL: time.Minute}.Lock(etcdtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAKeyThatSomebodyDeletedIsLostAlthoughTheLeaseLives(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	g := acquire(t, s, "holder")
	if _, err := server.Client().Delete(etcdtest.Context(t), "/test/n"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(etcdtest.Context(t), g); !errors.Is(err, lease.ErrLost) {
		t.Errorf("%v", err)
	}
}

func TestALeaseThatIsGoneIsLost(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	g := acquire(t, s, "holder")
	v, err := parseVersion(g.Version)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client().Revoke(etcdtest.Context(t), v.lease); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(etcdtest.Context(t), g); !errors.Is(err, lease.ErrLost) {
		t.Errorf("%v", err)
	}
}

func TestAFailedAttemptLeavesNoLeaseBehind(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	now, _, err := s.look(etcdtest.Context(t), "n")
	if err != nil {
		t.Fatal(err)
	}
	g := acquire(t, s, "first")
	granted, err := s.Etcd.Grant(etcdtest.Context(t), 60)
	if err != nil {
		t.Fatal(err)
	}
	// What Acquire does whose look was before somebody else's write.
	if _, err := s.put(etcdtest.Context(t), now, granted, "second", time.Minute); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("%v", err)
	}
	s.revoke(etcdtest.Context(t), granted.ID)
	leases, err := server.Client().Leases(etcdtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := parseVersion(g.Version); len(leases.Leases) > 1 || len(leases.Leases) == 1 && leases.Leases[0].ID != v.lease {
		t.Errorf("there are the leases %v", leases.Leases)
	}
}

func TestAWatchOfACompactedRevisionEndsAndTheNextLookTells(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	_, revision, err := s.lookAt(etcdtest.Context(t), "n")
	if err != nil {
		t.Fatal(err)
	}
	var newest int64
	for range 3 {
		resp, err := server.Client().Put(etcdtest.Context(t), "/else", "x")
		if err != nil {
			t.Fatal(err)
		}
		newest = resp.Header.Revision
	}
	if _, err := server.Client().Compact(etcdtest.Context(t), newest); err != nil {
		t.Fatal(err)
	}
	if err := s.changed(etcdtest.Context(t), "n", revision); err != nil {
		t.Errorf("the watch did not end by itself: %v", err)
	}
	g := acquire(t, s, "holder")
	if r := follow(t, s, lease.Record{Name: "n", Version: version{}.String()}); r.Token != g.Token {
		t.Errorf("%+v, want %+v", r, g)
	}
}

func TestAWatchGoesOnThroughARestartAndAPause(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s, other := client(t, server.Addr), client(t, server.Addr)
	for name, disturb := range map[string]func(){
		"restart": func() { server.Kill(); server.Start() },
		"pause":   func() { server.Pause(); time.AfterFunc(time.Second, server.Resume) },
	} {
		var seen lease.Record
		await.That(t, "nobody has it", func() bool {
			r, _, err := s.lookAt(etcdtest.Context(t), "n")
			seen = r
			return err == nil && r.Holder == ""
		})
		next := make(chan lease.Record, 1)
		go func() { next <- follow(t, s, seen) }()
		disturb()
		await.That(t, "after a "+name+" somebody takes it", func() bool {
			_, err := other.Acquire(etcdtest.Context(t), "n", name, 5*time.Second)
			return err == nil
		})
		if r := <-next; r.Holder != name {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// follow returns the next record that has a holder, whatever errors come before.
func follow(t *testing.T, s *Store, seen lease.Record) lease.Record {
	ctx := etcdtest.Context(t)
	for {
		r, err := s.Next(ctx, "n", seen)
		if err == nil && r.Holder != "" || ctx.Err() != nil {
			return r
		}
		if err == nil {
			seen = r
		}
	}
}

func TestAnEtcdThatIsAwayIsNoLoss(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	s.Timeout = time.Second
	g := acquire(t, s, "holder")
	for _, away := range []func(){server.Pause, server.Kill} {
		away()
		_, renewed := s.Renew(etcdtest.Context(t), g)
		_, asked := s.Next(etcdtest.Context(t), "n", lease.Record{})
		_, acquired := s.Acquire(etcdtest.Context(t), "n", "other", time.Second)
		for _, err := range []error{renewed, asked, acquired, s.Release(etcdtest.Context(t), g)} {
			if err == nil || errors.Is(err, lease.ErrLost) || errors.Is(err, lease.ErrHeld) {
				t.Errorf("an etcd that is away says nothing of who holds it: %v", err)
			}
		}
	}
}

func TestARecordThatNobodyOfUsWroteIsNobodys(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, program)
	s := client(t, server.Addr)
	for _, text := range []string{"", "garbage", "[]", `{"holder":"h"}`, `{"ttl_ms":-1}`} {
		if _, err := server.Client().Put(etcdtest.Context(t), "/test/n", text); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next(etcdtest.Context(t), "n", lease.Record{}); !errors.Is(err, lease.ErrUnreadable) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := s.Acquire(etcdtest.Context(t), "n", "h", time.Second); !errors.Is(err, lease.ErrUnreadable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"holder":"a@h:1#x","since":"2026-11-26T02:00:00Z","ttl_ms":3000}`), int64(7), int64(9))
	f.Add([]byte(`{"since":"2026-11-26T02:00:00Z","token":7}`), int64(8), int64(0))
	f.Fuzz(func(t *testing.T, text []byte, revision, id int64) {
		r, err := parse("n", &mvccpb.KeyValue{Key: []byte("/n"), Value: text, ModRevision: revision, Lease: id})
		if err != nil {
			return
		}
		if (r.Holder == "") != (id == 0) || r.TTL < 0 {
			t.Errorf("%s: %+v", text, r)
		}
		v, err := parseVersion(r.Version)
		if revision >= 0 && id >= 0 && (err != nil || v != (version{revision, clientv3.LeaseID(id)})) {
			t.Errorf("%s: %+v, %v", r.Version, v, err)
		}
	})
}

func FuzzParseVersion(f *testing.F) {
	for _, text := range []string{"0-0", "12-7fff", "-1-0", "1-", "1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseVersion(text)
		if err != nil {
			return
		}
		if again, err := parseVersion(v.String()); err != nil || again != v {
			t.Errorf("%q: %+v, %v", text, again, err)
		}
	})
}

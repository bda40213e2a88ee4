package etcdclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/nettest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

func TestEveryWrongSettingIsNamed(t *testing.T) {
	wrong := etcdclient.Settings{Endpoints: []string{"http://etcd:2379"}, Access: etcdclient.Access{CertFile: "c", User: "u"}}.Validate("X_ETCD_")
	for _, name := range []string{"X_ETCD_ENDPOINTS", "X_ETCD_KEY_FILE", "X_ETCD_CA_FILE", "X_ETCD_PASSWORD_FILE", "X_ETCD_TIMEOUT"} {
		if !strings.Contains(wrong.Error(), name) {
			t.Errorf("%s is not named in: %v", name, wrong)
		}
	}
	right := etcdclient.Settings{Endpoints: []string{"etcd:2379"}, Access: etcdclient.Access{Timeout: time.Second}}
	if wrong := right.Validate("X_"); len(wrong) > 0 {
		t.Error(wrong)
	}
}

func TestFilesThatCannotBeUsedAreAnError(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []etcdclient.Access{{CAFile: garbage}, {CAFile: garbage + "-none"}, {User: "u", PasswordFile: garbage + "-none"}} {
		s.Timeout = time.Second
		if client, err := (etcdclient.Settings{Endpoints: []string{"etcd:2379"}, Access: s}).Open(t.Context()); err == nil {
			client.Close()
			t.Errorf("%+v was opened", s)
		}
	}
}

func TestAClientComesBackWithItsEtcd(t *testing.T) {
	server := etcdtest.Start(t, program)
	client, err := etcdclient.Settings{Endpoints: []string{server.Addr}, Access: etcdclient.Access{Timeout: time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = client.Get(ctx, "k")
	if !etcdclient.Unavailable(err) {
		t.Errorf("an etcd that is away: %v", err)
	}
	if text := etcdclient.Explain(err); strings.Contains(text, server.Addr) {
		t.Errorf("the words tell of addresses: %s", text)
	}
	server.Start()
	await.That(t, "etcd answers", func() bool {
		_, err := client.Get(etcdtest.Context(t), "k")
		return err == nil
	})
}

// three starts a cluster and a client of all its members.
func three(t *testing.T) ([]*etcdtest.Server, *clientv3.Client) {
	t.Helper()
	members := etcdtest.StartThree(t, program)
	client, err := etcdclient.Settings{Endpoints: etcdtest.Addrs(members), Access: etcdclient.Access{Timeout: 5 * time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // the test is over
	await.That(t, "all members are connected: each answers in its turn", func() bool {
		return len(answering(t, client)) == len(members)
	})
	return members, client
}

// answering are the members that have answered some requests.
func answering(t *testing.T, client *clientv3.Client) map[uint64]bool {
	t.Helper()
	ids := map[uint64]bool{}
	for range 6 {
		resp, err := client.Get(etcdtest.Context(t), "k")
		if err != nil {
			t.Fatal(err)
		}
		ids[resp.Header.MemberId] = true
	}
	return ids
}

// patience is shorter than etcd's own, with which a member waits for a leader: 6.2 s.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Each of these requests would hang on a member that is cut off, when it is its turn.
func TestAMemberThatIsCutOffIsPassedOver(t *testing.T) {
	members, client := three(t)
	members[1].CutOff()
	lease, err := client.Grant(patience(t), 60)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, err := client.Put(patience(t), "k", fmt.Sprint(i)); err != nil {
			t.Errorf("a write: %v", err)
		}
		if got, err := client.Get(patience(t), "k"); err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != fmt.Sprint(i) {
			t.Errorf("a read: %v, %v", got, err)
		}
		// A stream is refused at its beginning: whoever sends before that is known is told that it has ended.
		if err := keepAlive(t, client, lease.ID); err != nil && !errors.Is(err, rpctypes.ErrNoLeader) && !errors.Is(err, io.EOF) {
			t.Errorf("a lease: %v", err)
		} else if err != nil { // it is asked of the next one
			if err := keepAlive(t, client, lease.ID); err != nil {
				t.Errorf("a lease: two in turn have no leader: %v", err)
			}
		}
	}
	if ids := answering(t, client); len(ids) != 2 {
		t.Errorf("%d members have answered, want the two that have a leader", len(ids))
	}
}

func keepAlive(t *testing.T, client *clientv3.Client, id clientv3.LeaseID) error {
	t.Helper()
	_, err := client.KeepAliveOnce(patience(t), id)
	return err
}

// A write is sent once: one that was lost on the way may have been carried out. All that
// were acknowledged are there in the end, whoever was killed.
func TestWritesGoOnWhileEachMemberIsKilled(t *testing.T) {
	members, client := three(t)
	acknowledged := 0
	write := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		key := fmt.Sprintf("entry/%04d", acknowledged)
		if _, err := client.Put(ctx, key, "v"); err != nil {
			if !etcdclient.Unavailable(err) {
				t.Errorf("%s: %v", key, err)
			}
			return false
		}
		acknowledged++
		return true
	}
	for _, victim := range members {
		victim.Kill()
		for range 10 {
			await.That(t, "a write is acknowledged without a member", write)
		}
		victim.Start()
		await.That(t, "a write is acknowledged", write)
	}
	for _, m := range members {
		got, err := m.Client().Get(etcdtest.Context(t), "entry/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil || got.Count < int64(acknowledged) {
			t.Errorf("%d of %d entries are there: %v", got.Count, acknowledged, err)
		}
	}
}

// With one member alone nothing is acknowledged, and everything goes on by itself.
func TestWithoutAMajorityNothingIsAcknowledged(t *testing.T) {
	members, client := three(t)
	members[0].Kill()
	members[1].Kill()
	await.That(t, "it is told that there is no leader", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Put(ctx, "k", "v")
		if err == nil {
			t.Fatal("one of three has acknowledged a write")
		}
		return etcdclient.Unavailable(err)
	})
	members[0].Launch()
	await.That(t, "a write is acknowledged", func() bool {
		_, err := client.Put(etcdtest.Context(t), "k", "v")
		return err == nil
	})
}

func TestThatNobodyListensIsNoErrorOfOpen(t *testing.T) {
	client, err := etcdclient.Settings{Endpoints: []string{nettest.Refuse(t)}, Access: etcdclient.Access{Timeout: time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

func TestWhatMayWorkLaterIsTold(t *testing.T) {
	for want, errs := range map[bool][]error{
		true: {
			context.DeadlineExceeded, context.Canceled, rpctypes.ErrNoLeader, rpctypes.ErrTimeout,
			status.Error(codes.Unavailable, "away"), fmt.Errorf("read: %w", status.Error(codes.DeadlineExceeded, "late")),
		},
		false: {nil, errors.New("other"), rpctypes.ErrPermissionDenied, rpctypes.ErrNoSpace, rpctypes.ErrCompacted},
	} {
		for _, err := range errs {
			if got := etcdclient.Unavailable(err); got != want {
				t.Errorf("%v: %v", err, got)
			}
		}
	}
}

func TestWordsAreOnesThatMayBeShown(t *testing.T) {
	for err, want := range map[error]string{
		context.DeadlineExceeded:                "etcd does not answer",
		rpctypes.ErrNoLeader:                    "etcd has no leader",
		rpctypes.ErrNoSpace:                     "etcd is full",
		rpctypes.ErrAuthFailed:                  "etcd does not permit this to the user",
		errors.New("dial tcp 10.0.0.1: secret"): "etcd cannot be used",
	} {
		if got := etcdclient.Explain(err); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
}

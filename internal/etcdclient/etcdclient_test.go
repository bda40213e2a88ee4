package etcdclient_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
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

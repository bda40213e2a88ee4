package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/etcdstore"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

type running struct {
	*testing.T
	*processtest.Running
	client *http.Client
}

func start(t *testing.T, dir string, environ map[string]string) *running {
	t.Helper()
	env := map[string]string{"LOG_LEVEL": "ERROR+1", "LEDGER_DIR": dir}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	r := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return &running{t, r, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}}
}

func claimed(owner string, token lease.Token) []string {
	return []string{wire.OwnerHeader, owner + "@h:1#r", wire.TokenHeader, fmt.Sprint(uint64(token)), wire.VersionHeader, "v"}
}

// want holds a request to its status and, if it is an error, to the type of it.
func (r *running) want(status int, name, method, path, body string, header ...string) string {
	r.Helper()
	resp, text := processtest.Do(r.T, r.client, method, "http://"+r.Data+"/v1/shards"+path, body, header...)
	if resp.StatusCode != status || name != "" && !strings.Contains(text, "#"+name+`"`) {
		r.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, resp.StatusCode, text, status, name)
	}
	return text
}

func order(n int, id string, amount, balance int64) string {
	o := wire.Order{ID: id, Account: "alice", Amount: amount, Balance: balance, Version: uint64(n), Sequence: uint64(n)}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestWhatIsNoRequestOfAnOwnerIsRefused(t *testing.T) {
	r := start(t, t.TempDir(), map[string]string{"LEDGER_SHARDS": "2"})
	one := claimed("one", 1)
	r.want(400, "claim-invalid", "POST", "/0/open", "")
	r.want(400, "claim-invalid", "POST", "/0/entries", order(1, "a", 5, 5))
	r.want(400, "claim-invalid", "GET", "/0/accounts/alice", "")
	for _, shard := range []string{"2", "-1", "x", "00", "0x0"} {
		r.want(404, "shard-not-found", "POST", "/"+shard+"/open", "", one...)
	}
	for _, body := range []string{"", "{}", "[]", `{"id":"a"}`, order(1, "a", 0, 5), order(1, "a/b", 5, 5), `{"more":1}`} {
		r.want(400, "entry-invalid", "POST", "/0/entries", body, one...)
	}
	r.want(400, "account-invalid", "GET", "/0/accounts/%2f", "", one...)
	r.want(400, "account-invalid", "GET", "/0/entries?account=%2f", "")
	r.want(400, "limit-invalid", "GET", "/0/entries?limit=0", "")
	r.want(400, "entry-invalid", "GET", "/0/entries/%2f", "", one...)
	r.want(404, "entry-not-found", "GET", "/0/entries/none", "", one...)
}

// The book's interleaving, step by step: a request of the first owner is on its way when
// it loses the lock, and arrives after one of the second.
func TestTheLateRequestOfAFormerOwnerIsRefused(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, nil)
	first, second := claimed("first", 10), claimed("second", 11)
	r.want(200, "", "POST", "/0/open", "", first...)
	r1 := order(1, "r1", 5, 5) // computed by the first owner, and delayed
	r.want(200, "", "POST", "/0/open", "", second...)
	r.want(201, "", "POST", "/0/entries", order(1, "r2", 7, 7), second...)
	if text := r.want(409, "token-stale", "POST", "/0/entries", r1, first...); !strings.Contains(text, `"newest":11`) {
		t.Error(text)
	}
	if text := r.want(200, "", "GET", "/0/accounts/alice", "", second...); !strings.Contains(text, `"balance":7,"version":1`) {
		t.Error(text)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir, nil)
	r.want(409, "token-stale", "POST", "/0/entries", order(2, "r3", 5, 12), first...)
	r.want(409, "sequence-conflict", "POST", "/0/entries", order(1, "r4", 5, 12), second...)
	r.want(200, "", "POST", "/0/entries", order(1, "r2", 7, 7), second...)
	r.want(422, "entry-id-reused", "POST", "/0/entries", order(2, "r2", 8, 15), second...)
	if text := r.want(200, "", "GET", "/0/entries/r2", "", second...); !strings.Contains(text, `"owner":"second@h:1#r","token":11`) {
		t.Error(text)
	}
	if text := r.want(200, "", "GET", "", ""); text != `[{"shard":0,"sequence":1,"token":11,"owner":"second@h:1#r","accounts":1}]`+"\n" {
		t.Error(text)
	}
	_, metrics := processtest.Get(t, "http://"+r.Admin+"/metrics")
	if !strings.Contains(metrics, `ledger_requests_total{outcome="stale"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestTheLessonOfNoCheckIsWhatItSays(t *testing.T) {
	r := start(t, t.TempDir(), map[string]string{"LEDGER_LESSON": "no-check"})
	first, second := claimed("first", 10), claimed("second", 11)
	r.want(200, "", "POST", "/0/open", "", second...)
	r.want(201, "", "POST", "/0/entries", order(1, "r2", 7, 7), second...)
	r.want(201, "", "POST", "/0/entries", order(1, "r1", 5, 5), first...)
	if text := r.want(200, "", "GET", "/0/accounts/alice", "", second...); !strings.Contains(text, `"balance":5`) {
		t.Errorf("r2 is not lost: %s", text)
	}
}

func TestABookIsOneProcesss(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, nil)
	cfg := processtest.Parse[Config](t, Program, map[string]string{"LEDGER_DIR": dir})
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v", err)
	}
}

func TestAnAccountTooMuchIsRefused(t *testing.T) {
	r := start(t, t.TempDir(), map[string]string{"LEDGER_ACCOUNTS": "1"})
	r.want(201, "", "POST", "/0/entries", order(1, "a", 5, 5), claimed("one", 1)...)
	r.want(507, "ledger-full", "POST", "/0/entries", strings.Replace(order(2, "b", 5, 5), "alice", "bob", 1), claimed("one", 1)...)
}

func TestWithTheStoreToAskAnOwnerWhoseLeaseEndedIsRefusedBeforeItsSuccessorComes(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	r := start(t, t.TempDir(), map[string]string{"LEDGER_CHECK": "store", "LEDGER_STORE_ETCD_ENDPOINTS": etcd.Addr, "LEDGER_STORE_ETCD_TIMEOUT": "2s"})
	client, err := etcdclient.Settings{Endpoints: []string{etcd.Addr}, Access: etcdclient.Access{Timeout: 10 * time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store := &etcdstore.Store{Etcd: client, Prefix: "/ownership/", Timeout: 10 * time.Second}
	acquire := func(holder string) lease.Grant {
		t.Helper()
		g, err := lease.Lock{Store: store, Name: wire.LeaseName(0), Holder: holder + "@h:1#r", TTL: time.Minute}.Lock(etcdtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first := acquire("first")
	r.want(201, "", "POST", "/0/entries", order(1, "a", 5, 5), claimed("first", first.Token)...)
	r.want(409, "token-stale", "POST", "/0/entries", order(2, "b", 5, 10), claimed("first", first.Token+1)...) // made up
	if err := store.Release(etcdtest.Context(t), first); err != nil {
		t.Fatal(err)
	}
	r.want(409, "token-stale", "POST", "/0/entries", order(2, "b", 5, 10), claimed("first", first.Token)...)
	second := acquire("second")
	r.want(201, "", "POST", "/0/entries", order(2, "c", 5, 10), claimed("second", second.Token)...)
	r.want(409, "token-stale", "POST", "/0/entries", order(3, "d", 5, 15), claimed("first", first.Token)...)
	etcd.Pause()
	r.want(503, "store-unavailable", "POST", "/0/entries", order(3, "e", 5, 15), claimed("second", second.Token)...)
	etcd.Resume()
	await.That(t, "it is recorded", func() bool {
		resp, _ := processtest.Do(t, r.client, "POST", "http://"+r.Data+"/v1/shards/0/entries", order(3, "e", 5, 15), claimed("second", second.Token)...)
		return resp.StatusCode/100 == 2
	})
}

func TestAFileThatCannotBeReadEndsTheStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/shard-3.ledger", []byte("garbage\ngarbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := processtest.Parse[Config](t, Program, map[string]string{"LEDGER_DIR": dir})
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "shard-3.ledger: line 1") {
		t.Errorf("%v", err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{
		"LEDGER_SHARDS": "0", "LEDGER_ACCOUNTS": "0", "LEDGER_ENTRIES": "0", "LEDGER_FILE_SIZE": "1B", "LEDGER_CHECK": "store", "LEDGER_STORE_PREFIX": "/",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), cfg)
	for _, name := range []string{"LEDGER_SHARDS", "LEDGER_ACCOUNTS", "LEDGER_ENTRIES", "LEDGER_FILE_SIZE", "LEDGER_STORE_ETCD_ENDPOINTS", "LEDGER_STORE_PREFIX"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	_, err = process.Parse[Config](Program, map[string]string{"LEDGER_CHECK": "x", "LEDGER_LESSON": "x", "LEDGER_STORE_KIND": "x"})
	for _, name := range []string{"LEDGER_CHECK", "LEDGER_LESSON", "LEDGER_STORE_KIND"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

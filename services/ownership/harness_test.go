package ownership

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/ownership/ledger"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var (
	etcd  string // the embedded etcd
	built string // this program
)

func TestMain(m *testing.M) {
	etcdtest.Main(m, func(path string) {
		etcd, built = path, filepath.Join(filepath.Dir(path), "ownership")
		if out, err := exec.Command("go", "build", "-o", built, "./cmd/ownership").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build ownership: %v\n%s", err, out)
			os.Exit(1)
		}
	})
}

// asker asks each time by a connection of its own: what a paused process does to
// connections is not what is tried here.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}

// A fleet is an etcd, two ledgers and replicas with long leases: what does not try their end must not
// depend on how fast a machine is.
type fleet struct {
	*testing.T
	etcd    *etcdtest.Server
	ledgers []*processtest.Running
	env     map[string]string // of all replicas
}

func newFleet(t *testing.T, ledgerEnv, env map[string]string) *fleet {
	t.Helper()
	f := &fleet{T: t, etcd: etcdtest.Start(t, etcd)}
	var addrs []string
	for range 2 {
		of := map[string]string{"LOG_LEVEL": "ERROR+1", "LEDGER_DIR": t.TempDir()}
		maps.Copy(of, ledgerEnv)
		cfg := processtest.Parse[ledger.Config](t, ledger.Program, of)
		r := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return ledger.Run(ctx, cfg) })
		f.ledgers, addrs = append(f.ledgers, r), append(addrs, r.Data)
	}
	f.env = map[string]string{
		"LOG_LEVEL": "ERROR+1", "OWNERSHIP_STORE_ETCD_ENDPOINTS": f.etcd.Addr, "OWNERSHIP_LEDGERS": strings.Join(addrs, ","),
		"OWNERSHIP_TTL": "1m", "OWNERSHIP_BALANCE_INTERVAL": "0s", "OWNERSHIP_WAIT": "100ms", "OWNERSHIP_TIMEOUT": "20s",
	}
	maps.Copy(f.env, env)
	return f
}

// short are leases that are waited for, and are renewed with a second to spare.
var short = map[string]string{"OWNERSHIP_TTL": "6s"}

// A replica is one in this process, or in one of its own.
type replica struct {
	f       *fleet
	name    string
	addr    string
	admin   string
	running *processtest.Running
	cmd     *exec.Cmd
}

// replica starts a replica in this process.
func (f *fleet) replica(name string, more map[string]string) *replica {
	f.Helper()
	env := maps.Clone(f.env)
	env["INSTANCE"] = name
	maps.Copy(env, more)
	cfg := processtest.Parse[Config](f.T, Program, env)
	r := processtest.Start(f.T, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return &replica{f: f, name: name, addr: r.Data, admin: r.Admin, running: r}
}

// process starts a replica that can be stopped and killed.
func (f *fleet) process(name string) *replica {
	f.Helper()
	r := &replica{f: f, name: name, addr: nettest.Refuse(f.T), admin: nettest.Refuse(f.T)}
	r.cmd = exec.Command(built)
	r.cmd.Env = []string{"INSTANCE=" + name, "LISTEN_ADDR=" + r.addr, "ADMIN_ADDR=" + r.admin, "DRAIN_DELAY=0s"}
	for variable, value := range f.env {
		r.cmd.Env = append(r.cmd.Env, variable+"="+value)
	}
	if err := r.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended
		_ = r.cmd.Wait()         // by a signal, which counts as an error
	})
	await.That(f.T, name+" listens", func() bool {
		conn, err := net.Dial("tcp", r.addr)
		return err == nil && conn.Close() == nil
	})
	return r
}

// pause stops a process, and returns when it stands still.
func (r *replica) pause() {
	r.f.Helper()
	var state syscall.WaitStatus
	err := r.cmd.Process.Signal(syscall.SIGSTOP)
	for err == nil && !state.Stopped() {
		_, err = syscall.Wait4(r.cmd.Process.Pid, &state, syscall.WUNTRACED, nil)
	}
	if err != nil {
		r.f.Fatalf("pause %s: %v", r.name, err)
	}
}

func (r *replica) signal(s os.Signal) {
	r.f.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.f.Fatal(err)
	}
}

// do asks and reads the answer into a value, if there is one to read into.
func (r *replica) do(method, path, body string, into any, header ...string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(r.f.Context(), method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := asker.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && into != nil && resp.StatusCode/100 == 2 {
		err = json.NewDecoder(bytes.NewReader(answer)).Decode(into)
	}
	return resp.StatusCode, string(answer), err
}

// want holds an answer to its status and, if it is an error, to the type of it.
func (r *replica) want(status int, name, method, path, body string, into any, header ...string) string {
	r.f.Helper()
	got, text, err := r.do(method, path, body, into, header...)
	if err != nil || got != status || name != "" && !strings.Contains(text, "#"+name+`"`) {
		r.f.Errorf("%s: %s %s %s: %d %s, %v; want %d %s", r.name, method, path, body, got, text, err, status, name)
	}
	return text
}

func entry(id, account string, amount int64) string {
	return fmt.Sprintf(`{"id":%q,"account":%q,"amount":%d}`, id, account, amount)
}

// post records an entry, as a client does that has patience.
func (r *replica) post(id, account string, amount int64) (e Entry) {
	r.f.Helper()
	var last string
	await.That(r.f.T, fmt.Sprintf("%s records %s", r.name, id), func() bool {
		status, text, err := r.do("POST", "/v1/entries", entry(id, account, amount), &e)
		if text != last {
			r.f.Logf("%s: %s: %d %s %v", r.name, id, status, text, err)
			last = text
		}
		return err == nil && status/100 == 2
	})
	return e
}

// balance reads an account, with the same patience.
func (r *replica) balance(account string) (a Account) {
	r.f.Helper()
	await.That(r.f.T, "the balance is read", func() bool {
		status, _, err := r.do("GET", "/v1/accounts/"+account, "", &a)
		return err == nil && status == http.StatusOK
	})
	return a
}

type owners struct {
	Instance string
	Shards   []Owner
}

func (r *replica) owners() (o owners, err error) {
	_, _, err = r.do("GET", "/v1/owner", "", &o)
	return o, err
}

func (r *replica) terms() (terms []Term) {
	r.f.Helper()
	var h struct{ Terms []Term }
	if _, text, err := r.do("GET", "/v1/history", "", &h); err != nil {
		r.f.Fatalf("%s: %v", text, err)
	}
	return h.Terms
}

// knows waits until a replica has seen that another one owns all shards.
func (r *replica) knows(owner string) {
	r.f.Helper()
	await.That(r.f.T, r.name+" knows what "+owner+" owns", func() bool {
		known := map[int]bool{}
		for _, term := range r.terms() {
			if term.Owner == owner {
				known[term.Shard] = true
			}
		}
		return len(known) == shards
	})
}

// owns waits until a replica owns all shards that it is to own.
func (r *replica) owns(shards int) {
	r.f.Helper()
	await.That(r.f.T, fmt.Sprintf("%s owns %d shards", r.name, shards), func() bool {
		o, err := r.owners()
		held := 0
		for _, s := range o.Shards {
			if s.Held && s.Owner == r.name {
				held++
			}
		}
		return err == nil && held == shards
	})
}

// link lays a connection to a server that a test can silence: nothing arrives, and nobody
// is told, as in a network that drops packets.
func link(t *testing.T, to string) *cable.Cable {
	t.Helper()
	c, err := cable.Lay("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

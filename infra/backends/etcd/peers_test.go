package etcd

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// ownProcess is a member that is a process of its own.
type ownProcess struct {
	t           *testing.T
	name, peers string
	data, admin string
	dir         string
	cmd         *exec.Cmd
}

// threeProcesses starts three members. Without a majority none becomes ready, so all are started
// before one is waited for.
func threeProcesses(t *testing.T) []*ownProcess {
	t.Helper()
	var all []*ownProcess
	var peers []string
	for n := 1; n <= 3; n++ {
		name := fmt.Sprintf("etcd-%d", n)
		all = append(all, &ownProcess{t: t, name: name, data: nettest.Refuse(t), admin: nettest.Refuse(t), dir: t.TempDir()})
		peers = append(peers, name+"="+nettest.Refuse(t))
	}
	for _, p := range all {
		p.peers = strings.Join(peers, ",")
		p.start()
		t.Cleanup(p.kill)
	}
	for _, p := range all {
		p.await(http.StatusOK)
	}
	return all
}

func (p *ownProcess) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "LISTEN_ADDR="+p.data, "ADMIN_ADDR="+p.admin, "LOG_LEVEL=ERROR",
		"INSTANCE="+p.name, "ETCD_PEERS="+p.peers, "ETCD_DATA_DIR="+p.dir)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *ownProcess) kill() {
	_ = p.cmd.Process.Kill() // it has ended already when this fails
	_ = p.cmd.Wait()         // by a signal, which counts as an error
}

func (p *ownProcess) await(status int) {
	p.t.Helper()
	await.That(p.t, fmt.Sprintf("/readyz of %s is %d", p.name, status), func() bool {
		got, _ := ask(http.MethodGet, "http://"+p.admin+"/readyz")
		return got == status
	})
}

func (p *ownProcess) count(prefix string) int64 {
	p.t.Helper()
	got, err := connect(p.t, p.data).Get(deadline(p.t), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		p.t.Fatal(err)
	}
	return got.Count
}

// Every member is killed once and comes back with what it had, and with what was written
// meanwhile. What was acknowledged is there in the end, on each.
func TestAMemberThatWasKilledComesBackWithItsData(t *testing.T) {
	members := threeProcesses(t)
	var addrs []string
	for _, p := range members {
		addrs = append(addrs, p.data)
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	acknowledged := int64(0)
	write := func() bool {
		ctx, cancel := context.WithTimeout(deadline(t), 5*time.Second)
		defer cancel()
		_, err := c.Put(ctx, fmt.Sprintf("entry/%04d", acknowledged), "v")
		if err == nil {
			acknowledged++
		}
		return err == nil
	}
	for _, victim := range members {
		victim.kill()
		for range 5 {
			await.That(t, "a write is acknowledged without "+victim.name, write)
		}
		victim.start()
		victim.await(http.StatusOK)
	}
	for _, p := range members {
		if n := p.count("entry/"); n < acknowledged {
			t.Errorf("%s has %d of %d entries", p.name, n, acknowledged)
		}
	}
}

func TestAMemberAloneIsNotReadyAndFindsTheOthers(t *testing.T) {
	members := threeProcesses(t)
	members[0].kill()
	members[1].kill()
	members[2].await(http.StatusServiceUnavailable)
	members[0].start()
	members[0].await(http.StatusOK)
	members[2].await(http.StatusOK)
}

// A member that has not found the others yet ends when it is told to, all the same: a fleet that is stopped stops its members
// in any order.
func TestAMemberThatNeverWasReadyEnds(t *testing.T) {
	members := threeProcesses(t)
	for _, p := range members {
		p.kill()
	}
	alone := members[0]
	alone.start()
	alone.await(http.StatusServiceUnavailable)
	if err := alone.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := waitFor(t, alone.cmd); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A member that is cut off serves clients, but has no leader, and knows it.
func TestAMemberThatIsCutOffHasNoLeaderUntilItIsMended(t *testing.T) {
	members := threeProcesses(t)
	if status, body := ask(http.MethodPost, "http://"+members[1].admin+"/members/2/cut"); status != http.StatusOK || !strings.Contains(body, `"member":2`) {
		t.Fatalf("%d %s", status, body)
	}
	members[1].await(http.StatusServiceUnavailable)
	if _, err := connect(t, members[0].data).Put(deadline(t), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(http.MethodPost, "http://"+members[1].admin+"/members/2/mend"); status != http.StatusOK {
		t.Fatal(status)
	}
	members[1].await(http.StatusOK)
	if n := members[1].count("k"); n != 1 {
		t.Errorf("it has %d keys that were written meanwhile", n)
	}
	if status, body := ask(http.MethodPost, "http://"+members[1].admin+"/members/1/cut"); status != http.StatusNotFound {
		t.Errorf("a member of another process: %d %s", status, body)
	}
}

// A member that has lost its data has promised what it does not know any more: the others
// do not let it in, and it says so.
func TestAMemberWithoutItsDataIsNotLetIn(t *testing.T) {
	members := threeProcesses(t)
	members[1].kill()
	members[1].dir = filepath.Join(t.TempDir(), "empty")
	members[1].start()
	if err := waitFor(t, members[1].cmd); err == nil {
		t.Error("it ended as if nothing were wrong")
	}
	members[0].await(http.StatusOK)
}

func TestWhatIsWrongWithAClusterIsNamed(t *testing.T) {
	t.Parallel()
	good := "etcd-1=127.0.0.1:1,etcd-2=127.0.0.1:2,etcd-3=127.0.0.1:3"
	for _, c := range []struct {
		want    string
		environ map[string]string
	}{
		{"", map[string]string{"ETCD_PEERS": good}},
		{"want name=host:port", map[string]string{"ETCD_PEERS": "etcd-1"}},
		{"want name=host:port", map[string]string{"ETCD_PEERS": "etcd-1=127.0.0.1"}},
		{"occurs twice", map[string]string{"ETCD_PEERS": good + ",etcd-1=127.0.0.1:4"}},
		{"occurs twice", map[string]string{"ETCD_PEERS": good + ",etcd-4=127.0.0.1:3"}},
		{"too many", map[string]string{"ETCD_PEERS": good + ",d=h:1,e=h:2,f=h:3,g=h:4,h=h:5"}},
		{"they are etcd-1, etcd-2, etcd-3", map[string]string{"ETCD_PEERS": good, "INSTANCE": "etcd-4"}},
		{"ETCD_MEMBERS=1 only", map[string]string{"ETCD_PEERS": good, "ETCD_MEMBERS": "3"}},
		{"needs ETCD_DATA_DIR", map[string]string{"ETCD_PEERS": good, "ETCD_DATA_DIR": ""}},
		{"not an address of loopback", map[string]string{"ETCD_PEERS": "etcd-1=10.0.0.1:1"}},
		{"", map[string]string{"ETCD_PEERS": "etcd-1=10.0.0.1:1", "ETCD_PROTECTED": "off"}},
	} {
		environ := map[string]string{"INSTANCE": "etcd-1", "ETCD_DATA_DIR": "/somewhere"}
		for name, value := range c.environ {
			environ[name] = value
		}
		cfg, err := process.Parse[Config](Program, environ)
		if err != nil {
			t.Fatal(err)
		}
		err = cfg.validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), "ETCD_PEERS") || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.environ, err, c.want)
		}
	}
}

func FuzzPeers(f *testing.F) {
	f.Add("etcd-1=127.0.0.1:1,etcd-2=[::1]:2")
	f.Add("=,=")
	f.Fuzz(func(t *testing.T, text string) {
		peers, err := parsePeers(text)
		if err == nil && (len(peers) == 0 || len(peers) > maxPeers || peers[0].name == "" || peers[0].addr == "") {
			t.Errorf("%q is taken for %v", text, peers)
		}
	})
}

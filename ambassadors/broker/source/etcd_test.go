package source

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

func dialTo(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}

// realEtcd is an etcd that can be stopped and started again with its data.
type realEtcd struct {
	t                *testing.T
	program, dir     string
	clients, members string
	cmd              *exec.Cmd
}

func newEtcd(t *testing.T) *realEtcd {
	t.Helper()
	program := realserver.Find(t, "etcd", "the source etcd is NOT tried here")
	e := &realEtcd{t: t, program: program, dir: t.TempDir(), clients: "http://" + nettest.Refuse(t), members: "http://" + nettest.Refuse(t)}
	t.Cleanup(e.stop)
	return e
}

func (e *realEtcd) start() {
	e.t.Helper()
	e.cmd = exec.Command(e.program, "--name", "one", "--data-dir", e.dir, "--listen-client-urls", e.clients, "--advertise-client-urls", e.clients,
		"--listen-peer-urls", e.members, "--initial-advertise-peer-urls", e.members, "--initial-cluster", "one="+e.members)
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *realEtcd) stop() {
	if e.cmd == nil {
		return
	}
	e.cmd.Process.Kill()
	e.cmd.Wait()
	e.cmd = nil
}

func (e *realEtcd) client() *clientv3.Client {
	e.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.clients}, DialTimeout: time.Second, Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

func TestAKeyOfARealEtcdIsFollowed(t *testing.T) {
	t.Parallel()
	e := newEtcd(t)
	ch := reports(t, Etcd{Client: e.client(), Key: "/db", Timeout: time.Second})
	await(t, ch, Failed) // it is not there yet
	e.start()
	await(t, ch, Gone)
	c := e.client()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	put := func(value string) {
		t.Helper()
		if _, err := c.Put(ctx, "/db", value); err != nil {
			t.Fatal(err)
		}
	}
	put("a:1")
	await(t, ch, Found, "a:1")
	put("a:1,b:2")
	await(t, ch, Found, "a:1", "b:2")
	put("garbage")
	await(t, ch, Failed, "a:1", "b:2")
	began := time.Now()
	if _, err := c.Delete(ctx, "/db"); err != nil {
		t.Fatal(err)
	}
	await(t, ch, Gone, "a:1", "b:2")
	if took := time.Since(began); took > 3*time.Second { // the next read would be later
		t.Errorf("a watched key's end was noticed after %v", took)
	}
	put("c:3")
	await(t, ch, Found, "c:3")
	e.stop()
	await(t, ch, Failed, "c:3") // its last word stays
	e.start()
	put("d:4")
	await(t, ch, Found, "d:4")
}

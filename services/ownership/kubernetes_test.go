package ownership

import (
	"maps"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/kube/kubetest"
)

func TestTheSameOnLeasesOfKubernetes(t *testing.T) {
	t.Parallel()
	api := kubetest.Start(t)
	f := newFleet(t, nil, short)
	f.etcd.Kill()
	env := map[string]string{"OWNERSHIP_STORE_KIND": "kubernetes", "OWNERSHIP_STORE_KUBE_URL": api.URL, "OWNERSHIP_STORE_KUBE_ACCOUNT_DIR": api.Account}
	delete(f.env, "OWNERSHIP_STORE_ETCD_ENDPOINTS")
	maps.Copy(f.env, env)
	a := f.process("a")
	a.owns(shards)
	b := f.replica("b", nil)
	first := a.post("e1", "alice", 5)
	a.pause()
	b.owns(shards)
	second := b.post("e2", "alice", 7)
	if second.Balance != 12 || second.Token <= first.Token || second.Owner != "b" {
		t.Errorf("%+v after %+v", second, first)
	}
	api.Rotate("another-token")
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c := f.replica("c", nil)
	c.knows("b")
	b.running.Cancel()
	c.owns(shards)
	third := c.post("e3", "alice", 1)
	if third.Balance != 13 || third.Token <= second.Token || third.Owner != "c" {
		t.Errorf("%+v after %+v", third, second)
	}
	for _, term := range c.terms() {
		if term.Owner == "b" && term.Ended != "resigned" {
			t.Errorf("%+v", term)
		}
	}
}

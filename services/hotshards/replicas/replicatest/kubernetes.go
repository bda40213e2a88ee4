package replicatest

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/kube/kubetest"
)

// A Kubernetes is an API server with Deployments and StatefulSets, which are named as in deployment/name. Replicas that are
// ordered are not ready before the test says so.
type Kubernetes struct{ *kubetest.Server }

// StartKubernetes starts an API server until the end of the test.
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	return &Kubernetes{kubetest.Start(t)}
}

// key is what the API server calls a service.
func key(service string) string { return strings.Replace(service, "/", "s/", 1) }

// Set says how many replicas of a service there are.
func (k *Kubernetes) Set(service string, want, ready int) {
	k.Put(key(service), kubetest.Workload(want, ready))
}

// Get tells how many replicas of a service there are.
func (k *Kubernetes) Get(service string) (want, ready int) { return k.Replicas(key(service)) }

// Break makes every answer an error, until it is called with false.
func (k *Kubernetes) Break(is bool) {
	if !is {
		k.Fail(nil)
		return
	}
	k.Fail(func(*http.Request) bool { return true })
}

// Hold makes changes wait until the returned function is called.
func (k *Kubernetes) Hold() (release func()) {
	held := make(chan struct{})
	k.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		return false
	})
	return sync.OnceFunc(func() {
		k.Intercept(nil)
		close(held)
	})
}

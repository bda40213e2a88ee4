package edge_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// The upstream is there, and says on its administration port that it is not ready.
func TestAnEdgeIsReadyWhenItHasSomebodyToAsk(t *testing.T) {
	t.Parallel()
	var usable atomic.Bool
	probed := make(chan struct{}, 100)
	admin := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		if !usable.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		select {
		case probed <- struct{}{}:
		default:
		}
	})
	_, port, _ := strings.Cut(admin, ":")
	upstream := backend(t, func(http.ResponseWriter, *http.Request) {}) + "/" + port
	f := start(t, settings{env: map[string]string{"EDGE_FIRST_REPLICAS": "1h", "CHECK_INTERVAL": "20ms"}}, upstream)
	ready := func() int {
		r, err := http.Get("http://" + f.admin + "/readyz")
		body(t, r, err)
		return r.StatusCode
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for range 3 {
		<-probed
	}
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("with nobody to ask: %d", got)
	}
	usable.Store(true)
	for ready() != http.StatusOK {
		<-probed
	}
	usable.Store(false) // from here on a 503 of its own says more than a refused connection
	for range 3 {
		<-probed
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("when its upstream has gone again: %d", got)
	}
}

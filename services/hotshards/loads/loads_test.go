package loads_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads/loadstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func proxies(t *testing.T, addrs ...string) *loads.Proxies {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(loadstest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &loads.Proxies{
		Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, TokenFile: token, Timeout: patience, ChangeTimeout: patience,
		Members: func() ([]string, error) { return addrs, nil },
	}
}

func two(t *testing.T) (*loadstest.Proxy, *loadstest.Proxy, *loads.Proxies) {
	t.Helper()
	one := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a", Rate: 30, P99: 0.2, Requests: 300}, loadstest.Shard{Name: "b", Replicas: "file:/b", Rate: 10, P99: 0.1, Requests: 100})
	other := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a", Rate: 50, P99: 0.1, Requests: 500}, loadstest.Shard{Name: "b", Replicas: "file:/b", Rate: 10, P99: 0.4, Requests: 100})
	return one, other, proxies(t, one.Addr, other.Addr)
}

func TestALookNeedsEveryProxy(t *testing.T) {
	one, other, p := two(t)
	other.Break(true)
	if _, err := p.Look(t.Context()); err == nil || !strings.Contains(err.Error(), other.Addr) || !strings.Contains(err.Error(), "told to fail") {
		t.Errorf("one that fails: %v", err)
	}
	refusing := proxies(t, one.Addr, nettest.Refuse(t))
	if _, err := refusing.Look(t.Context()); err == nil {
		t.Error("one that refuses: seen")
	}
	none := proxies(t)
	if _, err := none.Look(t.Context()); err == nil {
		t.Error("none: seen")
	}
	p.TokenFile = ""
	if _, err := p.Look(t.Context()); err == nil {
		t.Error("without the token: seen")
	}
}

func TestAProxyThatIsSilentIsGivenUp(t *testing.T) {
	one := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a"})
	silent := nettest.Serve(t, func(c net.Conn) { nettest.ReadHead(c); nettest.ReadHead(c) })
	p := proxies(t, one.Addr, silent)
	p.Timeout = 100 * time.Millisecond
	if _, err := p.Look(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("look: %v", err)
	}
}

func TestProxiesWithDifferentShardsAreNotPutTogether(t *testing.T) {
	one := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a"})
	other := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a"}, loadstest.Shard{Name: "b", Replicas: "file:/b"})
	if _, err := proxies(t, one.Addr, other.Addr).Look(t.Context()); err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("look: %v", err)
	}
}

func TestRequestsAddUpAndTheWorstLatencyCounts(t *testing.T) {
	one, other, p := two(t)
	one.Change("b", func(s *loadstest.Shard) { s.State = "lost" })
	other.Change("a", func(s *loadstest.Shard) { s.Leaving = true })
	v, err := p.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, b := v.Shards[0], v.Shards[1]
	if v.Proxies != 2 || v.Window != 5*time.Second || a.Name != "a" || a.Rate != 80 || a.Requests != 800 || a.Share != 0.8 || a.P99 != 200*time.Millisecond || !a.Leaving || a.State != "active" {
		t.Errorf("%+v", v)
	}
	if b.Rate != 20 || b.P99 != 400*time.Millisecond || b.State != "lost" || b.Leaving || len(b.Replicas) != 1 || b.Replicas[0].Usable {
		t.Errorf("%+v", b)
	}
}

func TestAPlaceIsToldToEveryProxy(t *testing.T) {
	one, other, p := two(t)
	if err := p.Place(t.Context(), "b", "file:/a"); err != nil {
		t.Fatal(err)
	}
	if one.Place("b") != "file:/a" || other.Place("b") != "file:/a" || one.Place("a") != "file:/a" {
		t.Errorf("%s, %s", one.Place("b"), other.Place("b"))
	}
	v, err := p.Look(t.Context())
	if err != nil || len(v.Shards[1].Places) != 1 || v.Shards[1].Places[0] != (loads.Place{Replicas: "file:/a", Proxies: 2}) {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestProxiesThatDisagreeAboutAPlaceAreCounted(t *testing.T) {
	one, other, p := two(t)
	other.Break(true)
	if err := p.Place(t.Context(), "b", "file:/a"); err == nil {
		t.Error("a proxy that fails was told")
	}
	other.Break(false)
	v, err := p.Look(t.Context())
	if err != nil || len(v.Shards[1].Places) != 2 || one.Place("b") == other.Place("b") {
		t.Errorf("%+v, %v", v, err)
	}
	if err := p.Place(t.Context(), "x", "file:/a"); err == nil {
		t.Error("a shard that is not there was placed")
	}
}

func TestALayoutThatSomebodyElseChangesIsReadAgain(t *testing.T) {
	one, other, p := two(t)
	one.Tamper(func() { one.Change("a", func(s *loadstest.Shard) { s.Replicas = "file:/elsewhere" }) })
	if err := p.Place(t.Context(), "b", "file:/a"); err != nil {
		t.Fatal(err)
	}
	if one.Place("a") != "file:/elsewhere" || one.Place("b") != "file:/a" || other.Place("b") != "file:/a" {
		t.Errorf("a is at %s, b at %s", one.Place("a"), one.Place("b"))
	}
	var again func()
	again = func() { one.Change("a", func(*loadstest.Shard) {}); one.Tamper(again) }
	one.Tamper(again)
	if err := p.Place(t.Context(), "b", "file:/b"); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("one that is changed all the time: %v", err)
	}
}

package experiment

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func slotOf(layer, id string) int { return plan.Slot(layer, id) }

func TestUsersOfADeadExperimentAreServedByProduction(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), next(nettest.Refuse(t)), nil)
	resp, body := w.get("/", inside)
	if body != "production" || resp.Header.Get(Field) != "production;instead-of=next;reason=unavailable" {
		t.Errorf("%s, %v", body, resp.Header)
	}
	// It surely reached nobody, so this may be sent again too.
	if _, body := w.post("/", inside, "hello"); body != "production" {
		t.Errorf("%s", body)
	}
	if _, sent := production.last(); sent != "hello" {
		t.Errorf("production got %q", sent)
	}
	if r := w.report(); r.Experiments[0].Errors != 2 || r.Experiments[0].Rescued != 2 || r.Production.Requests != 2 || r.Production.Errors != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAnExperimentWithoutReplicasIsStoodInForWhateverIsSent(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), next("file:/no/such/file"), nil)
	if resp, body := w.post("/", inside, "hello"); body != "production" || resp.Header.Get(Field) != "production;instead-of=next;reason=unavailable" {
		t.Errorf("%s, %v", body, resp.Header)
	}
}

func TestAnExperimentThatHangsCostsItsUsersItsTimeout(t *testing.T) {
	production := serve(t, "production", nil)
	hung := serve(t, "", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w := start(t, production.addr(), next(hung.addr(), "timeout: 50ms"), nil)
	resp, body := w.get("/", inside)
	if body != "production" || resp.Header.Get(Field) != "production;instead-of=next;reason=unavailable" {
		t.Errorf("%s, %v", body, resp.Header)
	}
	// What may have happened is not done twice.
	if resp, body := w.post("/", inside, "hello"); resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(body, "upstream-timeout") || resp.Header.Get(Field) != "next" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	if production.count() != 1 {
		t.Errorf("production got %d requests", production.count())
	}
	if resp, body := w.post("/", inside, "hello", "Idempotency-Key", "1"); resp.StatusCode != http.StatusOK || body != "production" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestAnExperimentThatAnswersWithErrorsIsStoodInForWherePossible(t *testing.T) {
	production := serve(t, "production", nil)
	broken := serve(t, "", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusInternalServerError) })
	w := start(t, production.addr(), next(broken.addr()), map[string]string{"EXPERIMENT_MAX_BUFFER": "10B"})
	if resp, body := w.get("/", inside); body != "production" || resp.Header.Get(Field) != "production;instead-of=next;reason=error" {
		t.Errorf("%s, %v", body, resp.Header)
	}
	if resp, body := w.post("/", inside, "hello"); resp.StatusCode != 500 || body != "oops\n" || resp.Header.Get(Field) != "next" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	put := func(body string) int {
		resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPut, "http://"+w.Data+"/", body, "Cookie", "experiment="+inside)
		return resp.StatusCode
	}
	if got := put("short"); got != 200 {
		t.Errorf("a body that was kept: %d", got)
	}
	if got := put(strings.Repeat("long", 10)); got != 500 { // it is gone
		t.Errorf("a body that could not be kept: %d", got)
	}
	if _, sent := broken.last(); sent != strings.Repeat("long", 10) {
		t.Errorf("the arm got %q", sent)
	}
}

// What the report says of replicas is what requests go by: one that was ejected is not usable, and is not asked, though there is no
// other. It is asked again when the report says so.
func TestAReplicaThatWasEjectedIsNeitherUsableNorAsked(t *testing.T) {
	production := serve(t, "production", nil)
	var well atomic.Bool
	arm := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := start(t, production.addr(), next(arm.addr()), map[string]string{"EJECT_AFTER": "3", "EJECT_BASE": "3s", "EJECT_MAX": "3s"})
	if e := w.report().Experiments[0]; e.Usable != 1 || e.Ejected != 0 {
		t.Errorf("at first: %+v", e)
	}
	for range 3 {
		if resp, _ := w.get("/", inside); resp.Header.Get(Field) != "production;instead-of=next;reason=error" {
			t.Errorf("%v", resp.Header)
		}
	}
	well.Store(true)
	for {
		e, asked := w.report().Experiments[0], arm.count()
		resp, _ := w.get("/", inside)
		back := w.report().Experiments[0].Usable == 1
		if e.Usable == 1 {
			if resp.Header.Get(Field) != "next" {
				t.Errorf("usable, and answered by %s", resp.Header.Get(Field))
			}
			break
		}
		if e.Ejected != 1 || !back && (resp.Header.Get(Field) != "production;instead-of=next;reason=unavailable" || arm.count() != asked) {
			t.Fatalf("%+v, answered by %s, asked %d times, then %d", e, resp.Header.Get(Field), asked, arm.count())
		}
	}
}

func TestAnExperimentsConnectionThatBreaksInTheHeadIsStoodInFor(t *testing.T) {
	production := serve(t, "production", nil)
	breaks := nettest.Serve(t, func(c net.Conn) {
		nettest.ReadHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-")
	})
	w := start(t, production.addr(), next(breaks), nil)
	if _, body := w.get("/", inside); body != "production" {
		t.Errorf("%s", body)
	}
}

func TestABodyThatBreaksOffIsNotMadeWhole(t *testing.T) {
	breaks := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	w := start(t, breaks.addr(), "", nil)
	resp, err := http.Get("http://" + w.Data)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks like a whole one")
	}
}

func TestAnotherReplicaOfTheArmIsAskedFirst(t *testing.T) {
	production, good := serve(t, "production", nil), serve(t, "next", nil)
	w := start(t, production.addr(), next(nettest.Refuse(t)+","+good.addr()), nil)
	for range 10 {
		if _, body := w.get("/", inside); body != "next" {
			t.Errorf("%s", body)
		}
	}
}

func TestAReplicaThatIsOverloadedKeepsItsConnection(t *testing.T) {
	production := serve(t, "production", nil)
	var connections atomic.Int32
	full := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	}))
	full.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	full.Start()
	defer full.Close()
	w := start(t, production.addr(), next(full.Listener.Addr().String()), map[string]string{"RETRY_ATTEMPTS": "1"})
	for range 5 {
		if _, body := w.get("/", inside); body != "production" {
			t.Errorf("%s", body)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 5 answers that nobody read", n)
	}
}

func TestProductionThatIsAwayIsSaidSo(t *testing.T) {
	hung := serve(t, "", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for addr, want := range map[string]string{nettest.Refuse(t): "502 upstream-failed", hung.addr(): "504 upstream-timeout"} {
		w := start(t, addr, "", map[string]string{"EXPERIMENT_HEADER_TIMEOUT": "50ms"})
		resp, body := w.get("/", "")
		if status, typ, _ := strings.Cut(want, " "); !strings.HasPrefix(resp.Status, status) || !strings.Contains(body, typ) || strings.Contains(body, addr) || resp.Header.Get(Field) != "production" {
			t.Errorf("%s: %s %s", want, resp.Status, body)
		}
	}
	w := start(t, "file:/no/such/file", "", nil)
	if resp, body := w.get("/", ""); resp.StatusCode != 503 || !strings.Contains(body, "no-replica") || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := processtest.Get(t, "http://"+w.Admin+"/readyz"); resp.StatusCode != 503 || !strings.Contains(body, "no replica was usable yet") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "", map[string]string{"EXPERIMENT_MAX_BODY": "100B", "EXPERIMENT_MAX_BUFFER": "10B"})
	resp, body := w.post("/", inside, strings.Repeat("x", 101))
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "body-too-large") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, _ := w.post("/", inside, strings.Repeat("x", 100)); resp.StatusCode != 200 {
		t.Errorf("%s", resp.Status)
	}
}

func TestAClientThatBreaksOffItsBodyIsToldAndReachesNobody(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "", nil)
	conn, err := net.Dial("tcp", w.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	if !strings.Contains(string(answer), "body-incomplete") || production.count() != 0 {
		t.Errorf("%d requests, %s", production.count(), answer)
	}
}

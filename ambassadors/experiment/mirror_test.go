package experiment

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

func mirrored(addr string, more ...string) string {
	return "shadows:\n- {name: mirror, percent: 100, upstream: '" + addr + "'" + strings.Join(append([]string{""}, more...), ", ") + "}\n"
}

func TestAShadowGetsCopiesAndItsAnswersAreComparedAndThrownAway(t *testing.T) {
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/same" {
				text = `{"same": true, "by": "x"}`
			}
			_, _ = io.WriteString(w, text)
		}
	}
	production, mirror := serve(t, "", answer(`{"by": "production", "n": 1}`)), serve(t, "", answer(`{"n": 1, "by": "mirror"}`))
	w := start(t, production.addr(), mirrored(mirror.addr(), "compare: {body: json, ignore: [by]}"), nil)
	resp, body := w.get("/a?b=c", inside, "Authorization", "secret", "X-Other", "kept")
	if !strings.Contains(body, "production") || resp.Header.Get(Field) != "production" || len(resp.Cookies()) > 0 {
		t.Errorf("%s %v", body, resp.Header)
	}
	w.until("matched", func(r Report) bool { return r.Shadows[0].Verdicts["matched"] == 1 })
	r, _ := mirror.last()
	if r.RequestURI != "/a?b=c" || r.Header.Get("X-Shadow") != "mirror" || r.Header.Get("Cookie")+r.Header.Get("Authorization") != "" || r.Header.Get("X-Other") != "kept" || r.Host != w.Data {
		t.Errorf("%s %s %v", r.RequestURI, r.Host, r.Header)
	}
	w.write(mirrored(mirror.addr()))
	w.until("reloaded", func(r Report) bool { return r.Shadows[0].Verdicts["matched"] == 0 })
	w.get("/a?who=ann", inside)
	got := w.until("differs", func(r Report) bool { // the verdict is counted before the latencies
		return r.Shadows[0].Verdicts["body_differs"] == 1 && r.Shadows[0].Production.Requests == 1 && r.Shadows[0].Shadow.Requests == 1
	}).Shadows[0]
	if len(got.Recent) != 1 || got.Recent[0].Path != "/a" {
		t.Errorf("%+v", got)
	}
}

func TestOnlySafeMethodsAreCopiedUnlessTheShadowHasAStore(t *testing.T) {
	production, mirror, store := serve(t, "production", nil), serve(t, "production", nil), serve(t, "production", nil)
	w := start(t, production.addr(), mirrored(mirror.addr())+
		"- {name: store, percent: 100, upstream: '"+store.addr()+"', methods: [POST], own_store: true}\n", map[string]string{"EXPERIMENT_MAX_BUFFER": "10B"})
	w.post("/", inside, "hello")
	w.post("/", inside, strings.Repeat("long", 10))
	w.get("/", inside)
	w.until("copied", func(r Report) bool {
		return r.Shadows[0].Verdicts["matched"] == 1 && r.Shadows[1].Verdicts["matched"] == 1 && r.Shadows[1].Skipped == 1
	})
	if _, body := store.last(); body != "hello" || mirror.count() != 1 || store.count() != 1 {
		t.Errorf("%q, %d and %d copies", body, mirror.count(), store.count())
	}
}

func TestShadowsThatAreDeadOrHangAreNoticedByNobodyButTheReport(t *testing.T) {
	production := serve(t, "production", nil)
	hung := serve(t, "", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w := start(t, production.addr(), mirrored(nettest.Refuse(t))+
		"- {name: hung, percent: 100, upstream: '"+hung.addr()+"', timeout: 1m}\n",
		map[string]string{"EXPERIMENT_SHADOW_QUEUE": "1", "EXPERIMENT_SHADOW_CONCURRENCY": "1"})
	for range 50 {
		if resp, body := w.get("/", inside); body != "production" || resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	w.until("told of", func(r Report) bool {
		return r.Shadows[0].Verdicts["failed"]+r.Shadows[0].Dropped == 50 && r.Shadows[0].Verdicts["failed"] > 0 && r.Shadows[1].Dropped == 48
	})
}

func TestAnExperimentsAnswersAreNotComparedWithTheShadows(t *testing.T) {
	production, arm, mirror := serve(t, "production", nil), serve(t, "next", nil), serve(t, "production", nil)
	w := start(t, production.addr(), next(arm.addr())+mirrored(mirror.addr()), nil)
	w.get("/", inside)
	w.get("/", outside)
	w.until("compared", func(r Report) bool { return r.Shadows[0].Verdicts["matched"] == 1 })
	if mirror.count() != 1 {
		t.Errorf("%d copies", mirror.count())
	}
}

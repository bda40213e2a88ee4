package fanout

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func call(f *Fanout, method, path, body string) (*httptest.ResponseRecorder, map[string]any) {
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return w, out
}

func TestACommandIsTakenAndAnsweredWithItsID(t *testing.T) {
	a := start(t, nil, 0)
	w, out := call(a.Fanout, "POST", Path, `{"url":"/dog"}`)
	if w.Code != 200 || out["applied"] != true || out["removed"] != 4.0 || w.Header().Get("Location") != Path+"/"+out["id"].(string) {
		t.Errorf("%d %v %v", w.Code, w.Header(), out)
	}
	if w, got := call(a.Fanout, "GET", w.Header().Get("Location"), ""); w.Code != 200 || got["applied"] != true {
		t.Errorf("%d %v", w.Code, got)
	}
	if w, got := call(a.Fanout, "GET", Path, ""); w.Code != 200 || got["current"] != true || got["applied"] != 1.0 {
		t.Errorf("%d %v", w.Code, got)
	}
	if w, out := call(a.Fanout, "POST", Path, `{"ban":"^/v1/"}`); w.Code != 200 || out["removed"] != nil {
		t.Errorf("%d %v", w.Code, out)
	}
	for _, id := range []string{"x", "x-1", "-1", strings.TrimSuffix(out["id"].(string), "1") + "x"} {
		if w, _ := call(a.Fanout, "GET", Path+"/"+id, ""); w.Code != 404 {
			t.Errorf("%s: %d", id, w.Code)
		}
	}
}

func TestMistakesAreNamedAndNothingIsApplied(t *testing.T) {
	a := start(t, nil, 0)
	a.o.Check = func(c Command) error {
		if c.Ban == "(" {
			return errors.New("ban: missing closing )")
		}
		return nil
	}
	for _, c := range []struct {
		body   string
		status int
		detail string
	}{
		{``, 400, "JSON"},
		{`[]`, 400, "JSON"},
		{`{"url":"/dog"} {}`, 400, "JSON"},
		{`{"path":"/dog"}`, 400, "JSON"},
		{`{}`, 422, "exactly one"},
		{`{"keys":[]}`, 422, "keys: 0 of them"},
		{`{"url":"/dog","ban":"x"}`, 422, "exactly one"},
		{`{"url":"dog"}`, 422, "url: "},
		{`{"url":"//evil/dog"}`, 422, "url: "},
		{`{"url":"ftp://x/dog"}`, 422, "url: "},
		{`{"url":"https:///dog"}`, 422, "url: "},
		{`{"url":"https://u:p@x/dog"}`, 422, "url: "},
		{`{"url":"/dog#x"}`, 422, "url: "},
		{`{"url":"/d\u0000g"}`, 422, "url: "},
		{`{"url":"/` + strings.Repeat("x", maxURL) + `"}`, 422, "longer"},
		{`{"ban":"` + strings.Repeat("x", maxBan+1) + `"}`, 422, "longer"},
		{`{"ban":"a\nb"}`, 422, "control"},
		{`{"ban":"x","host":"a/b"}`, 422, "host: "},
		{`{"url":"https://x/dog","host":"y"}`, 422, "names one already"},
		{`{"host":"x"}`, 422, "exactly one"},
		{`{"ban":"("}`, 422, "missing closing"},
		{`{"keys":["a b",""]}`, 422, "keys[0]"},
		{`{"keys":["a b",""]}`, 422, "keys[1]"},
		{`{"keys":["` + strings.Repeat("x", maxBody) + `"]}`, 413, "bounds"},
	} {
		w, out := call(a.Fanout, "POST", Path, c.body)
		detail, _ := out["detail"].(string)
		if w.Code != c.status || !strings.Contains(detail, c.detail) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.60s: %d %v", c.body, w.Code, out)
		}
	}
	if did := a.did.all(); len(did) != 0 {
		t.Errorf("it did %q", did)
	}
	r := httptest.NewRequest("POST", Path, strings.NewReader(`{"url":"/dog"}`))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	if a.Handler().ServeHTTP(w, r); w.Code != 415 {
		t.Errorf("text: %d", w.Code)
	}
	if w, _ := call(a.Fanout, "DELETE", Path, ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", w.Code)
	}
}

func TestWhenRedisIsAwayACommandIsRefusedWithRetryAfter(t *testing.T) {
	a := start(t, &redis.Options{Addr: "127.0.0.1:1"}, 0)
	w, out := call(a.Fanout, "POST", Path, `{"url":"/dog"}`)
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.HasSuffix(out["type"].(string), "invalidation-not-recorded") {
		t.Errorf("%d %v %v", w.Code, w.Header(), out)
	}
	if did := a.did.all(); len(did) != 0 {
		t.Errorf("it did %q all the same", did)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"v":1,"url":"/dog"}`, `{"v":1,"ban":"x","by":"a"}`, `{"v":1,"keys":["k"]}`, `{"v":2}`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := decode(s)
		if err != nil {
			return
		}
		again, err := encode(b.Command, b.By)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again); err != nil {
			t.Errorf("%q was understood, and as %q is not: %v", s, again, err)
		}
	})
}

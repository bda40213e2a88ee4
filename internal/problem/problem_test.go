package problem_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

func TestWriteIsAProblemDocument(t *testing.T) {
	w := httptest.NewRecorder()
	problem.New(503, "overloaded", "the queue is full").With("queue", 64).Retry(1500 * time.Millisecond).Write(w)
	if w.Code != 503 || w.Header().Get("Content-Type") != problem.ContentType || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["type"] != problem.Base+"overloaded" || got["status"] != 503.0 || got["queue"] != 64.0 || got["detail"] != "the queue is full" {
		t.Errorf("%v", got)
	}
}

func TestAnAnswerSaysWhatIsAllowed(t *testing.T) {
	p := problem.New(405, "method-not-allowed", "x")
	p.Allow = "GET, HEAD"
	for want, p := range map[string]*problem.Problem{"GET, HEAD": p.With("a", 1), "": problem.New(404, "none", "x")} {
		w := httptest.NewRecorder()
		p.Write(w)
		if got := w.Header().Get("Allow"); got != want {
			t.Errorf("%d: Allow %q, want %q", p.Status, got, want)
		}
	}
}

func TestExtensionsCannotReplaceMembers(t *testing.T) {
	b, err := json.Marshal(problem.New(400, "bad", "x").With("status", 200))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil || got["status"] != 400.0 {
		t.Errorf("%s %v", b, err)
	}
}

package poll_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/poll"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask polls once and returns the records as JSON.
func ask(t *testing.T, p poll.Poller, cursor json.RawMessage) (after json.RawMessage, missed int, out []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var l record.Line
	after, missed, err = p.Poll(ctx, time.Unix(1_709_633_472, 0), cursor, func(r *record.Record) error {
		out = append(out, string(l.Append(nil, r)))
		return nil
	})
	return after, missed, out, err
}

// storm answers as the UI of Storm does.
func storm(t *testing.T, answer *string) *poll.REST {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if *answer == "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, *answer)
	}))
	t.Cleanup(server.Close)
	env := format.NewEnv(time.UTC)
	env.Alias = map[string]string{"errorTime": "time", "error": "message"}
	p := &poll.REST{Client: server.Client(), URL: server.URL, Token: "secret", Items: poll.Way("component.componentErrors"), ID: []string{"errorTime", "errorHost", "error"}, Severity: "ERROR", Env: env}
	t.Cleanup(p.Close)
	return p
}

func item(n int, lapsed int) string {
	return fmt.Sprintf(`{"errorTime":%d,"errorHost":"w1","errorPort":6701,"errorLapsedSecs":%d,"error":"java.lang.RuntimeException: no %d\n\tat a.B.c(D.java:1)\n"}`, 1_709_633_472_000+n, lapsed, n)
}

func TestOnlyNewItemsOfAListAreRecords(t *testing.T) {
	answer := `{"component":{"componentErrors":[` + item(1, 5) + `,` + item(2, 3) + `]}}`
	p := storm(t, &answer)
	cursor, _, out, err := ask(t, p, nil)
	if err != nil || len(out) != 2 {
		t.Fatalf("%v %q", err, out)
	}
	for _, want := range []string{`"Timestamp":"2024-03-05T10:11:12.001Z"`, `"SeverityNumber":17`, `"Body":"java.lang.RuntimeException: no 1"`, `"exception.stacktrace":"\tat a.B.c(D.java:1)"`, `"exception.message":"no 1"`, `"errorPort":6701`} {
		if !strings.Contains(out[0], want) {
			t.Errorf("%s is missing in %s", want, out[0])
		}
	}
	answer = `{"component":{"componentErrors":[` + item(2, 13) + `,` + item(3, 1) + `]}}` // time passes, one went, one came
	cursor, _, out, err = ask(t, p, cursor)
	if err != nil || len(out) != 1 || !strings.Contains(out[0], "no 3") {
		t.Errorf("%v %q", err, out)
	}
	for _, empty := range []string{`{"component":{"componentErrors":[]}}`, `{"component":{"componentErrors":null}}`, `{"component":{}}`} {
		answer = empty
		if _, _, out, err = ask(t, p, cursor); err != nil || len(out) != 0 {
			t.Errorf("%s: %v %q", empty, err, out)
		}
	}
}

func TestAnAnswerThatIsNoListIsAnErrorAndLosesNoCursor(t *testing.T) {
	for _, answer := range []string{"", "{", `[]`, `{"component":5}`, `{"component":{"componentErrors":{}}}`, `{"component":{"componentErrors":[` + strings.Repeat("1,", 10_001) + `1]}}`} {
		p := storm(t, &answer)
		if after, _, out, err := ask(t, p, json.RawMessage(`["x"]`)); err == nil || after != nil || len(out) > 0 {
			t.Errorf("%.40q: %s %q, no error", answer, after, out)
		}
	}
}

func TestItemsThatAreNoObjectsArePassedOnMarked(t *testing.T) {
	answer := `{"component":{"componentErrors":["text",7]}}`
	p := storm(t, &answer)
	p.ID = nil
	if _, _, out, err := ask(t, p, nil); err != nil || len(out) != 2 || !strings.Contains(out[1], `"Body":7`) || !strings.Contains(out[1], `"unparsed":"format"`) {
		t.Errorf("%v %q", err, out)
	}
}

func TestAnErrorOfTheSinkEndsThePoll(t *testing.T) {
	answer := `{"component":{"componentErrors":[1]}}`
	p := storm(t, &answer)
	full := errors.New("full")
	if _, _, err := p.Poll(t.Context(), time.Now(), nil, func(*record.Record) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}

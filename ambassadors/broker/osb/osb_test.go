package osb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a service broker that keeps what it has made, and misbehaves as told.
type fake struct {
	mu        sync.Mutex // guards all below
	instances map[string]bool
	bindings  map[string]bool
	requests  []string
	polls     int // until an operation has ended

	// hook may answer a request in the broker's place.
	hook func(w http.ResponseWriter, r *http.Request, nth int) bool

	catalog     string
	credentials any
	async       bool
}

const catalog = `{"services":[{"id":"s1","name":"mysql","bindings_retrievable":true,"plans":[{"id":"p1","name":"small","free":true},{"id":"p2","name":"large"}]},{"id":"s2","name":"redis","plans":[{"id":"p3","name":"only"}]}]}`

func newFake(t *testing.T) (*fake, Order) {
	t.Helper()
	f := &fake{
		instances: map[string]bool{}, bindings: map[string]bool{}, catalog: catalog,
		credentials: map[string]any{"hostname": "db.example", "port": 3306, "username": "u", "password": "s3cret", "name": "guestbook", "ca": []string{"x"}, "../evil": "x"},
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := httpclient.New(httpclient.Options{Name: "broker", Timeout: 2 * time.Second, Retry: retry.DefaultSettings()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return f, Order{
		Client:  &Client{URL: server.URL, User: "admin", Password: "hunter2", HTTP: client},
		Service: "mysql", Plan: "small", Name: "guestbook", Kind: "mysql", Poll: 5 * time.Millisecond,
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	f.requests = append(f.requests, r.Method+" "+path)
	nth := 0
	for _, past := range f.requests {
		if past == r.Method+" "+path {
			nth++
		}
	}
	if f.hook != nil && f.hook(w, r, nth) {
		return
	}
	if user, password, _ := r.BasicAuth(); user != "admin" || password != "hunter2" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if r.Header.Get("X-Broker-API-Version") != Version {
		http.Error(w, `{"description":"version"}`, http.StatusPreconditionFailed)
		return
	}
	f.route(w, r, path)
}

func (f *fake) route(w http.ResponseWriter, r *http.Request, path string) {
	parts := strings.Split(path, "/")
	switch {
	case path == "catalog":
		fmt.Fprint(w, f.catalog)
	case strings.HasSuffix(path, "/last_operation"):
		if r.URL.Query().Get("operation") != "op-7" || r.URL.Query().Get("service_id") != "s1" {
			answer(w, 400, map[string]any{"description": "which operation?"})
			return
		}
		if f.polls--; f.polls > 0 {
			answer(w, 200, map[string]any{"state": "in progress"})
			return
		}
		answer(w, 200, map[string]any{"state": "succeeded"})
	case len(parts) == 2 && r.Method == http.MethodPut:
		f.put(w, r, f.instances, parts[1], nil)
	case len(parts) == 4 && r.Method == http.MethodPut && f.instances[parts[1]]:
		f.put(w, r, f.bindings, parts[3], f.credentials)
	case len(parts) == 4 && r.Method == http.MethodGet && f.bindings[parts[3]]:
		answer(w, 200, map[string]any{"credentials": f.credentials})
	default:
		answer(w, 404, map[string]any{"description": "no such thing"})
	}
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, all map[string]bool, id string, credentials any) {
	var body struct {
		Service string `json:"service_id"`
		Plan    string `json:"plan_id"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Service != "s1" || body.Plan != "p1" || r.URL.Query().Get("accepts_incomplete") != "true" {
		answer(w, 400, map[string]any{"description": "bad request"})
		return
	}
	known := all[id]
	all[id] = true
	content := map[string]any{}
	if credentials != nil {
		content["credentials"] = credentials
	}
	switch {
	case f.async && !known:
		w.Header().Set("Retry-After", "0")
		answer(w, 202, map[string]any{"operation": "op-7"})
	case known:
		answer(w, 200, content)
	default:
		answer(w, 201, content)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func limit(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func provision(t *testing.T, o Order) binding.Entries {
	t.Helper()
	e, err := o.Provision(limit(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestABindingIsMadeOfCredentials(t *testing.T) {
	t.Parallel()
	_, o := newFake(t)
	e := provision(t, o)
	for name, want := range map[string]string{
		"type": "mysql", "host": "db.example", "port": "3306", "username": "u", "password": "s3cret", "database": "guestbook", "provider": "mysql", "plan": "small", "../evil": "", "ca": "",
	} {
		if e[name] != want {
			t.Errorf("%s is %q, want %q", name, e[name], want)
		}
	}
}

// A second try, by another process, must not make a second database.
func TestTheSameNameGetsTheSameInstance(t *testing.T) {
	t.Parallel()
	f, o := newFake(t)
	first, second := provision(t, o), provision(t, o)
	if first["instance-id"] != second["instance-id"] || first["binding-id"] != second["binding-id"] || len(f.instances) != 1 || len(f.bindings) != 1 {
		t.Errorf("%v and %v", first, second)
	}
	o.Name = "another"
	if third := provision(t, o); third["instance-id"] == first["instance-id"] || len(f.instances) != 2 {
		t.Errorf("another application gets %v", third)
	}
}

func TestOperationsAreAwaited(t *testing.T) {
	t.Parallel()
	f, o := newFake(t)
	f.async, f.polls = true, 4
	f.hook = func(w http.ResponseWriter, r *http.Request, nth int) bool {
		if !strings.HasSuffix(r.URL.Path, "/last_operation") {
			return false
		}
		switch nth { // what happens to those who poll
		case 1:
			http.Error(w, "overloaded", http.StatusInternalServerError)
			return true
		case 2:
			fmt.Fprint(w, "<html>")
			return true
		}
		return false
	}
	if e := provision(t, o); e["host"] != "db.example" {
		t.Errorf("%v", e)
	}
}

// The broker has made the instance, but its answer is lost.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f, o := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, nth int) bool {
		if r.Method != http.MethodPut || nth > 1 {
			return false
		}
		f.instances[strings.Split(r.URL.Path, "/")[3]] = true
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
		return true
	}
	if e := provision(t, o); e["host"] != "db.example" || len(f.instances) != 1 {
		t.Errorf("%v, %d instances", e, len(f.instances))
	}
}

func TestWhatTheBrokerRefusesIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change    func(f *fake, o *Order)
		want      string
		permanent bool
	}{
		"no such service":   {func(_ *fake, o *Order) { o.Service = "oracle" }, `no service "oracle", but ["mysql" "redis"]`, true},
		"no such plan":      {func(_ *fake, o *Order) { o.Plan = "huge" }, `no plan "huge"`, true},
		"which plan":        {func(_ *fake, o *Order) { o.Plan = "" }, `no plan ""`, true},
		"wrong password":    {func(_ *fake, o *Order) { o.Client.Password = "hunter3" }, "401", true},
		"no catalogue":      {func(f *fake, _ *Order) { f.catalog = "<html>" }, "no JSON", false},
		"endless catalogue": {func(f *fake, _ *Order) { f.catalog = `{"x":"` + strings.Repeat("x", 5<<20) }, "larger than", false},
		"another database":  {refusing(409, `{"description":"exists with other parameters"}`), "409 exists with other", true},
		"no quota":          {refusing(400, `{"error":"MaintenanceInfoConflict","description":"quota"}`), "400 MaintenanceInfoConflict quota", true},
		"at work":           {refusing(422, `{"error":"ConcurrencyError"}`), "422 ConcurrencyError", false},
		"broken":            {refusing(500, `oops`), "500", false},
		"no address":        {func(f *fake, _ *Order) { f.credentials = map[string]any{"password": "s3cret"} }, "neither host nor uri", true},
		"no object":         {func(f *fake, _ *Order) { f.credentials = "s3cret" }, "no JSON object", false},
		"failed operation": {func(f *fake, _ *Order) {
			f.async = true
			f.hook = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if strings.HasSuffix(r.URL.Path, "/last_operation") {
					answer(w, 200, map[string]any{"state": "failed", "description": "no disk"})
					return true
				}
				return false
			}
		}, "no disk", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, o := newFake(t)
			c.change(f, &o)
			e, err := o.Provision(limit(t, 10*time.Second))
			if err == nil || !strings.Contains(err.Error(), c.want) || Permanent(err) != c.permanent {
				t.Errorf("%v, %v (permanent: %t), want %q (%t)", e, err, Permanent(err), c.want, c.permanent)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "hunter")) {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

func refusing(status int, body string) func(*fake, *Order) {
	return func(f *fake, _ *Order) {
		f.hook = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Method != http.MethodPut {
				return false
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
}

func TestABrokerThatNeverEndsIsNotWaitedForLonger(t *testing.T) {
	t.Parallel()
	f, o := newFake(t)
	f.async, f.polls = true, 1<<30
	began := time.Now()
	_, err := o.Provision(limit(t, 200*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	f.mu.Lock()
	f.catalog = strings.Replace(catalog, `"name":"small"`, `"name":"small","maximum_polling_duration":1`, 1)
	f.instances = map[string]bool{}
	f.mu.Unlock()
	_, err = o.Provision(limit(t, 20*time.Second)) // the plan says: not longer than a second
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

package broker

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// serviceBroker makes the database it is given, once.
func serviceBroker(t *testing.T, addr string, asked *atomic.Int32) *httptest.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/catalog":
			fmt.Fprint(w, `{"services":[{"id":"s","name":"mysql","plans":[{"id":"p","name":"small"}]}]}`)
		case r.Method == http.MethodPut:
			asked.Add(1)
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"credentials": map[string]any{"host": host, "port": port, "username": "u", "password": "s3cret"}})
		default:
			http.NotFound(w, r)
		}
	}))
}

func TestADatabaseIsMadeWhereNobodyKnowsOfOne(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "made", "127.0.0.1:0")
	var asked atomic.Int32
	osb := serviceBroker(t, d.addr(), &asked)
	dir, file := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "target")
	env := map[string]string{"BROKER_OSB_URL": osb.URL, "BROKER_OSB_SERVICE": "mysql", "BROKER_OSB_NAME": "app", "BROKER_PROVISION_DIR": dir, "BROKER_FILE": file}
	r := start(t, env)
	if name, err := ask(t, r.Data); err != nil || name != "made" {
		t.Fatalf("%q, %v", name, err)
	}
	if n := asked.Load(); n != 2 { // an instance and a binding
		t.Errorf("the service broker was asked for %d things", n)
	}
	if word, err := os.ReadFile(filepath.Join(dir, "password")); err != nil || string(word) != "s3cret" {
		t.Errorf("the application finds the password %q, %v", word, err)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	osb.Close()
	again := start(t, env)
	if name, err := ask(t, again.Data); err != nil || name != "made" || asked.Load() != 2 {
		t.Errorf("after a restart: %q, %v", name, err)
	}
	other := newDatabase(t, "known", "127.0.0.1:0")
	aim(t, file, other.addr())
	await.That(t, "a source of more precedence wins", func() bool { name, _ := ask(t, again.Data); return name == "known" })
}

func TestAServiceBrokerThatRefusesLeavesAClearWord(t *testing.T) {
	t.Parallel()
	osb := httptest.NewServer(http.NotFoundHandler())
	defer osb.Close()
	r := start(t, map[string]string{
		"BROKER_OSB_URL": osb.URL, "BROKER_OSB_SERVICE": "mysql", "BROKER_OSB_NAME": "app", "BROKER_PROVISION_DIR": filepath.Join(t.TempDir(), "db"), "LOG_LEVEL": "ERROR+4",
	})
	await.That(t, "the client is told", func() bool {
		e := refusedWith(t, r.Data)
		return e.Message == "broker: no source names a database: provision cannot be asked" && !strings.Contains(e.Message, osb.URL)
	})
}

func TestOpenAPIDescribesTheStatus(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.GET("/v1/target", func(echo.Context) error { return nil })
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil || len(diff) > 0 {
		t.Errorf("%v, %v", diff, err)
	}
}

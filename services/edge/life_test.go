package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/edge"
)

func TestTheCertificateFollowsSNIAndItsFiles(t *testing.T) {
	t.Parallel()
	second := certstest.New(t)
	var pair certs.Pair
	for range 3 { // number 3: those of the edge are 1 and 2
		pair = second.Issue("b", "b.localhost")
	}
	f := start(t, settings{env: map[string]string{"EDGE_CERTIFICATES": pair.CertFile + ":" + pair.KeyFile}}, backend(t, echoName("app")))
	serial := func(name string) int64 {
		c, err := tls.Dial("tcp", f.https, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		check(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial("a.localhost"); got != 1 {
		t.Errorf("a.localhost: %d", got)
	}
	// Both certificates name b.localhost; the default one was given first.
	f.ca.Issue("edge", "a.localhost")
	await.That(t, "renewed certificate", func() bool { return serial("a.localhost") == 2 })
	if got := serial("b.localhost"); got != 3 {
		t.Errorf("b.localhost: %d", got)
	}
	// A connection for one name must not be used for a name that its certificate
	// does not carry.
	c, err := tls.Dial("tcp", f.https, &tls.Config{ServerName: "b.localhost", InsecureSkipVerify: true})
	check(t, err)
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if body(t, r, err); r.StatusCode != 421 {
		t.Errorf("%d, want 421", r.StatusCode)
	}
}

func TestRoutesAreReloadedAndBrokenOnesAreNot(t *testing.T) {
	t.Parallel()
	f := start(t, settings{lookup: map[string]string{"EDGE_UPSTREAM_NEW": backend(t, echoName("new"))}}, backend(t, echoName("old")))
	client := f.client(false)
	get := func() string {
		r, err := client.Get("https://a.localhost/")
		return body(t, r, err)
	}
	if got := get(); got != "old /" {
		t.Fatal(got)
	}
	check(t, os.WriteFile(f.routes, []byte("hosts: [{names: [a.localhost], routes: [{path: /, upstream: none}]}]"), 0o600))
	reloads := func(result string) bool {
		r, err := http.Get("http://" + f.admin + "/metrics")
		return strings.Contains(body(t, r, err), `edge_routes_reloads_total{result="`+result+`"} 1`)
	}
	await.That(t, "refused reload", func() bool { return reloads("refused") })
	if got := get(); got != "old /" {
		t.Errorf("after a broken file: %q", got)
	}
	check(t, os.WriteFile(f.routes, []byte(strings.ReplaceAll(oneBackend, "EDGE_UPSTREAM_APP", "EDGE_UPSTREAM_NEW")), 0o600))
	await.That(t, "new route", func() bool { return get() == "new /" })
	http.DefaultClient.CloseIdleConnections()
}

func TestADrainFinishesWhatIsInFlightAndAsksClientsToLeave(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}, 3), make(chan struct{})
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-goOn
		}
		io.WriteString(w, "done")
	}))
	idle := f.dial() // kept alive and then used again while the edge drains
	in := bufio.NewReader(idle)
	request := func(path string) *http.Response {
		fmt.Fprintf(idle, "GET %s HTTP/1.1\r\nHost: a.localhost\r\n\r\n", path)
		r, err := http.ReadResponse(in, nil)
		body(t, r, err)
		return r
	}
	if r := request("/"); r.Close {
		t.Fatal("closed before the drain")
	}
	type outcome struct {
		protocol, text string
		err            error
	}
	outcomes := make(chan outcome, 3)
	for _, client := range []*http.Client{f.client(false), f.client(true), f.http3Client()} {
		go func() {
			r, err := client.Get("https://a.localhost/slow")
			if err != nil {
				outcomes <- outcome{err: err}
				return
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			outcomes <- outcome{r.Proto, string(b), err}
		}()
	}
	for range 3 {
		<-began
	}
	f.stop()
	await.That(t, "closed listener", func() bool {
		c, err := net.Dial("tcp", f.https)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if r := request("/"); !r.Close {
		t.Error("a client was not asked to leave")
	}
	close(goOn)
	for range 3 {
		if o := <-outcomes; o.err != nil || o.text != "done" {
			t.Errorf("%s: %q, %v", o.protocol, o.text, o.err)
		}
	}
	<-f.ended
}

func TestTwoEdgesShareInheritedListeners(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer udp.Close()
	inherited := func(c interface{ File() (*os.File, error) }) string {
		file, err := c.File()
		check(t, err)
		defer file.Close()
		fd, err := syscall.Dup(int(file.Fd()))
		check(t, err)
		return fmt.Sprintf("fd:%d", fd)
	}
	app := backend(t, echoName("app"))
	run := func(http3 string) *fixture {
		return start(t, settings{env: map[string]string{"LISTEN_ADDR": inherited(ln.(*net.TCPListener)), "EDGE_HTTP3_ADDR": http3, "EDGE_HTTP_ADDR": "off"}}, app)
	}
	one := run(inherited(udp.(*net.UDPConn)))
	r, err := one.http3Client().Get("https://a.localhost/")
	if got := body(t, r, err); got != "app /" {
		t.Errorf("HTTP/3 over an inherited socket: %q", got)
	}
	run("elsewhere")
	get := func() {
		t.Helper()
		c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{ServerName: "a.localhost", InsecureSkipVerify: true})
		check(t, err)
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if got := body(t, r, err); got != "app /" {
			t.Errorf("got %q", got)
		}
		if r.Header.Get("Alt-Svc") == "" {
			t.Error("an edge does not announce the HTTP/3 that its fellow serves")
		}
	}
	for range 10 {
		get()
	}
	one.stop() // a restart of one of them refuses nobody
	for range 10 {
		get()
	}
	<-one.ended
	for range 10 {
		get()
	}
}

// Who has just been started does not tell clients 503 that another edge could serve.
func TestAnEdgeThatSharesItsListenerAcceptsWhenItHasAReplica(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	check(t, err)
	defer file.Close()
	fd, err := syscall.Dup(int(file.Fd()))
	check(t, err)
	var ready atomic.Bool
	asked := make(chan struct{}, 1)
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		select {
		case asked <- struct{}{}:
		default:
		}
	}))
	defer admin.Close()
	_, port, _ := net.SplitHostPort(admin.Listener.Addr().String())
	f := start(t, settings{env: map[string]string{"LISTEN_ADDR": fmt.Sprintf("fd:%d", fd), "EDGE_HTTP_ADDR": "off", "CHECK_INTERVAL": "50ms"}},
		backend(t, echoName("app"))+"/"+port)
	<-asked
	answered := make(chan string, 1)
	go func() {
		r, err := f.client(false).Get("https://a.localhost/")
		answered <- body(t, r, err)
	}()
	for range 6 { // it looks again and again, and the request is there
		<-asked
	}
	ready.Store(true)
	if got := <-answered; got != "app /" {
		t.Errorf("got %q", got)
	}
}

func TestClientsBehindATrustedProxyAreBelieved(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{"EDGE_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"}}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Real-Ip"), " | ", strings.Join(r.Header.Values("X-Forwarded-For"), " + "))
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for given, want := range map[string]string{
			"":                               "127.0.0.1 | 127.0.0.1",
			"198.51.100.7":                   "198.51.100.7 | 198.51.100.7, 127.0.0.1",
			"forged, 198.51.100.7, 10.1.1.1": "198.51.100.7 | 198.51.100.7, 10.1.1.1, 127.0.0.1",
			"198.51.100.7, nonsense":         "127.0.0.1 | 127.0.0.1",
			"[2001:db8::1]:4711":             "2001:db8::1 | 2001:db8::1, 127.0.0.1",
		} {
			q, _ := http.NewRequest("GET", "https://a.localhost/", nil)
			if given != "" {
				q.Header.Set("X-Forwarded-For", given)
			}
			r, err := c.Do(q)
			if got := body(t, r, err); got != want {
				t.Errorf("%q: %q, want %q", given, got, want)
			}
		}
	})
}

func TestEveryRequestIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, echoName("app")))
	client := f.client(true)
	r, err := client.Get(`https://a.localhost/a"b?c=\`)
	body(t, r, err)
	f.ask("GET / HTTP/1.1\r\nHost: nobody\r\nUser-Agent: \"quoted\"\xff\r\n\r\n")
	m, err := http.Get("http://" + f.admin + "/metrics")
	metrics := body(t, m, err)
	http.DefaultClient.CloseIdleConnections()
	for _, want := range []string{
		`http_server_request_duration_seconds_count{code="2xx",protocol="2",route="a.localhost/"} 1`,
		`http_server_request_duration_seconds_count{code="4xx",protocol="1.1",route=""} 1`,
		`edge_tls_handshakes_total{result="full"} 2`, `edge_connections{state="idle"}`, `upstream_requests_total`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
	var text []byte
	await.That(t, "access log", func() bool {
		text, _ = os.ReadFile(f.log)
		return bytes.Count(text, []byte("\n")) == 2
	})
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var entry struct {
			Client, Protocol, Method, Host, Target, Route, Upstream string
			Status, Bytes                                           int
			TraceID                                                 string `json:"trace_id"`
			Agent                                                   string `json:"user_agent"`
		}
		check(t, json.Unmarshal(line, &entry))
		switch {
		case i == 0 && (entry.Protocol != "HTTP/2.0" || entry.Status != 200 || entry.Route != "a.localhost/" || len(entry.TraceID) != 32 || entry.Bytes == 0):
			t.Errorf("%s", line)
		case i == 1 && (entry.Status != 421 || entry.Host != "nobody" || entry.Agent != "\"quoted\"\ufffd"):
			t.Errorf("%s", line)
		}
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[edge.Config](edge.Program, map[string]string{
		"EDGE_TRUSTED_PROXIES": "10.0.0.1", "EDGE_PUBLIC_PORT": "0", "EDGE_HEADER_LIMIT": "1B", "EDGE_CERTIFICATES": ":x",
		"RETRY_ATTEMPTS": "9", "EJECT_SHARE": "2", "CHECK_TIMEOUT": "0s"})
	check(t, err)
	err = edge.Run(context.Background(), cfg)
	if err == nil {
		t.Fatal("it started")
	}
	for _, name := range []string{"TLS_CERT_FILE", "EDGE_TRUSTED_PROXIES", "EDGE_PUBLIC_PORT", "EDGE_HEADER_LIMIT", "EDGE_CERTIFICATES", "RETRY_ATTEMPTS", "EJECT_SHARE", "CHECK_TIMEOUT"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

func TestOldNamesOfParametersAreStillRead(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[edge.Config](edge.Program, map[string]string{"EDGE_ATTEMPTS": "2", "EDGE_RETRY_SHARE": "0.3", "EDGE_RETRY_MIN_PER_SECOND": "4"})
	check(t, err)
	if cfg.RetryAttempts != 2 || cfg.RetryShare != 0.3 || cfg.RetryMinPerSecond != 4 {
		t.Errorf("%+v", cfg.Limits)
	}
}

func TestBrokenFilesAtStartAreErrors(t *testing.T) {
	t.Parallel()
	c := certstest.New(t)
	pair := c.Issue("edge", "a.localhost")
	certFile, keyFile := pair.CertFile, pair.KeyFile
	for name, env := range map[string]map[string]string{
		"certificate": {"TLS_CERT_FILE": c.Dir + "/none", "TLS_KEY_FILE": keyFile},
		"routes":      {"TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile, "EDGE_ROUTES_FILE": keyFile},
		"ca":          {"TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile, "EDGE_CA_FILE": c.Dir + "/none"},
		"http":        {"TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile, "EDGE_CA_FILE": c.File, "EDGE_HTTP_ADDR": "nowhere:x"},
		"http3":       {"TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile, "EDGE_CA_FILE": c.File, "EDGE_HTTP3_ADDR": "fd:x"},
	} {
		env["LISTEN_ADDR"], env["ADMIN_ADDR"], env["LOG_LEVEL"] = "127.0.0.1:0", "127.0.0.1:0", "ERROR"
		if env["EDGE_HTTP_ADDR"] == "" {
			env["EDGE_HTTP_ADDR"] = "127.0.0.1:0"
		}
		cfg, err := process.Parse[edge.Config](edge.Program, env)
		check(t, err)
		cfg.Lookup = func(name string) (string, bool) { return "127.0.0.1:1", name == "EDGE_UPSTREAM_CACHE" }
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := edge.Run(ctx, cfg); err == nil || ctx.Err() != nil {
			t.Errorf("%s: started", name)
		}
		cancel()
	}
}

package tlsproxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echoHead answers with what the application saw.
func echoHead(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
	for name, values := range r.Header {
		fmt.Fprintf(w, "%s=%s\n", name, strings.Join(values, "|"))
	}
}

func TestWhatAClientSaysOfItselfIsNotPassedOn(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(echoHead), nil)
	for _, protocol := range []string{"", "h2"} {
		c := r.client()
		if protocol != "" {
			c = r.client(protocol)
		}
		hop := []string{"Connection", "X-Secret", "X-Secret", "1"}
		if protocol != "" {
			hop = nil // HTTP/2 has no such fields
		}
		_, body := do(t, c, "GET", "https://shop.example/a?x=1;y=%zz", nil, append(hop,
			"X-Forwarded-For", "10.0.0.1", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "evil", "X-Forwarded-Port", "1",
			"X-Forwarded-Prefix", "/evil", "X_forwarded_for", "10.0.0.1", "X-Real-Ip", "10.0.0.1", "Forwarded", "for=10.0.0.1",
			"X-Other", "kept")...)
		want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Real-Ip": "127.0.0.1", "X-Other": "kept"}
		if !strings.HasPrefix(body, "GET /a?x=1;y=%zz host=shop.example\n") {
			t.Errorf("the request is changed: %s", body)
		}
		for line := range strings.Lines(body) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if forwarding(name) && want[name] != value {
				t.Errorf("the application is told %s=%s", name, value)
			}
			if name == "X-Secret" {
				t.Error("a field that ends at this hop is passed on")
			}
			if want[name] == value {
				delete(want, name)
			}
		}
		if len(want) > 0 {
			t.Errorf("missing: %v in %s", want, body)
		}
	}
}

func TestNothingButTheApplicationIsReached(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the other one") }))
	defer other.Close()
	addr := other.Listener.Addr().String()
	r := before(t, http.HandlerFunc(echoHead), nil)
	resp, conn, _ := r.ask("GET http://" + addr + "/x HTTP/1.1\r\nHost: legacy\r\nConnection: close\r\n\r\n")
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), "GET /x host="+addr) {
		t.Errorf("a request in absolute form: %s, %v", body, err)
	}
	conn.Close()
	for _, request := range []string{
		"CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: legacy\r\n\r\n",
	} {
		resp, conn, _ := r.ask(request)
		if resp.StatusCode != 405 {
			t.Errorf("%q is answered %s", request, resp.Status)
		}
		conn.Close()
	}
}

func TestARequestThatIsTwoIsNotPassedOn(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(echoHead), nil)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: legacy\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"POST / HTTP/1.1\r\nHost: legacy\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: legacy\r\nA : b\r\n\r\n",
	} {
		resp, conn, _ := r.ask(request)
		if resp.StatusCode < 400 {
			t.Errorf("%q is answered %s", request, resp.Status)
		}
		conn.Close()
	}
}

func TestAnUpgradeToHTTP2IsNotPassedOn(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(echoHead), nil)
	resp, _, _ := r.ask("GET / HTTP/1.1\r\nHost: legacy\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
	body, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(strings.ToLower(string(body)), "h2c") || strings.Contains(strings.ToLower(string(body)), "http2-settings") {
		t.Errorf("%s, %v", body, err)
	}
}

func TestAnAnswerIsStreamed(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"", "h2"} {
		more := make(chan struct{})
		r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "data: one\n\n")
			_ = http.NewResponseController(w).Flush() // the read below fails without
			<-more
			_, _ = io.WriteString(w, "data: two\n\n")
		}), nil)
		c := r.client()
		if protocol != "" {
			c = r.client(protocol)
		}
		resp, err := c.Get("https://legacy/events")
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"": 1, "h2": 2}[protocol]; resp.ProtoMajor != want {
			t.Errorf("the protocol is %s", resp.Proto)
		}
		lines := bufio.NewReader(resp.Body)
		if line, err := lines.ReadString('\n'); err != nil || line != "data: one\n" {
			t.Errorf("before the end: %q, %v", line, err)
		}
		close(more)
		if rest, err := io.ReadAll(lines); err != nil || string(rest) != "\ndata: two\n\n" {
			t.Errorf("the rest: %q, %v", rest, err)
		}
		resp.Body.Close()
	}
}

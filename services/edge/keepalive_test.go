package edge_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What is left of a body that was refused must not be taken for a request.
func TestABodyThatWasNotReadEndsTheConnection(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{"EDGE_BODY_LIMIT": "64KiB"}}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			w.Header().Set("Connection", "close") // else net/http would read the body first
			w.WriteHeader(413)
			return
		}
		io.Copy(io.Discard, r.Body)
	}))
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"
	for name, head := range map[string]string{
		"refused by the edge":       "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 70000\r\n\r\n",
		"refused early":             "POST /early HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 60000\r\n\r\n",
		"refused early, in chunks":  "POST /early HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
		"refused before it is sent": "POST /early HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n",
	} {
		// Before it comes a request whose body was read to its end.
		answer := f.say("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\n\r\nabc" + head + smuggled)
		in := bufio.NewReader(strings.NewReader(answer))
		r, err := http.ReadResponse(in, nil)
		if body(t, r, err); r.StatusCode != 200 || r.Close {
			t.Errorf("%s: first %d, close %v", name, r.StatusCode, r.Close)
		}
		r, err = http.ReadResponse(in, nil)
		if body(t, r, err); r.StatusCode != 413 || !r.Close {
			t.Errorf("%s: %d, close %v", name, r.StatusCode, r.Close)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%s: the body was read as a request: %.60q", name, rest)
		}
	}
}
func TestAReplicaThatDiesUnderABodyIsTheReplicasFault(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, raw(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for line, err := in.ReadString('\n'); err == nil && line != "\r\n"; line, err = in.ReadString('\n') {
		}
		in.ReadString('\n') // the size of the first chunk: the body is on its way
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		reader, writer := io.Pipe()
		defer writer.Close()
		go io.WriteString(writer, "abc") // and no more for now
		r, err := c.Post("https://a.localhost/", "text/plain", reader)
		if text := body(t, r, err); r.StatusCode != 502 || !strings.Contains(text, "upstream-failed") {
			t.Errorf("%d %s", r.StatusCode, text)
		}
	})
}

func TestABodyThatIsLateIsTheClientsFault(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{"EDGE_ANSWER_TIMEOUT": "200ms"}}, backend(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		reader, writer := io.Pipe()
		defer writer.Close()
		go io.WriteString(writer, "abc") // and no more for now
		r, err := c.Post("https://a.localhost/", "text/plain", reader)
		if text := body(t, r, err); r.StatusCode != 408 || !strings.Contains(text, "too-slow") {
			t.Errorf("%d %s", r.StatusCode, text)
		}
	})
	m, err := http.Get("http://" + f.admin + "/metrics")
	metrics := body(t, m, err)
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(metrics, `outcome="canceled",upstream="app"} 3`) || !strings.Contains(metrics, `outcome="timeout",upstream="app"} 0`) {
		t.Error("the replica is blamed for a slow client")
	}
}

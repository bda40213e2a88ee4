package edge_test

import (
	"bufio"
	"fmt"
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
func TestAConnectionLivesOnAfterABodyOfAnyKind(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err, " ", r.Trailer.Get("X-Sum"))
	}))
	c := f.dial()
	in := bufio.NewReader(c)
	const size = 100_000
	piece := strings.Repeat("a", size/2)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", size/2, piece)
	for round := range 5 {
		for name, q := range map[string]struct{ head, body, trailer string }{
			"counted":  {fmt.Sprintf("Content-Length: %d\r\n", size), piece + piece, ""},
			"chunked":  {"Transfer-Encoding: chunked\r\n", chunk + chunk + "0\r\n\r\n", ""},
			"trailers": {"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", chunk + chunk + "0\r\nX-Sum: 7\r\n\r\n", "7"},
			"expected": {fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", size), piece + piece, ""},
		} {
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a.localhost\r\n%s\r\n", q.head)
			if name == "expected" {
				r, err := http.ReadResponse(in, nil)
				if check(t, err); r.StatusCode != 100 {
					t.Fatalf("%s: %d", name, r.StatusCode)
				}
			}
			io.WriteString(c, q.body)
			r, err := http.ReadResponse(in, nil)
			got := body(t, r, err)
			if want := fmt.Sprintf("%d <nil> %s", size, q.trailer); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
			if r.Close {
				t.Fatalf("%s, round %d: the connection ends though the body was read to its end", name, round)
			}
		}
	}
}

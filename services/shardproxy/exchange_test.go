package shardproxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

func TestFailuresOfAShardAreExplained(t *testing.T) {
	t.Parallel()
	raw := func(answer string) string {
		return nettest.Serve(t, func(c net.Conn) { nettest.ReadHead(c); _, _ = io.WriteString(c, answer) })
	}
	hangs := newReplica(t, "hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for name, c := range map[string]struct {
		replicas string
		status   int
		kind     string
	}{
		"refused":     {nettest.Refuse(t), 502, "upstream-unreachable"},
		"closed":      {raw(""), 502, "upstream-failed"},
		"nonsense":    {raw("220 smtp.example\r\n\r\n"), 502, "upstream-failed"},
		"half a head": {raw("HTTP/1.1 200 OK\r\nA: "), 502, "upstream-failed"},
		"two lengths": {raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 502, "upstream-failed"},
		"huge head":   {raw("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 100<<10) + "\r\n\r\n"), 502, "upstream-failed"},
		"unasked 101": {raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 502, "upstream-failed"},
		"no answer":   {hangs.bare(), 504, "upstream-timeout"},
		"no replica":  {"file:/nowhere/replicas", 503, "no-replica"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait := "10s"
			if name == "no answer" {
				wait = "300ms"
			}
			w := start(t, entry("a", c.replicas), map[string]string{"SHARDPROXY_ANSWER_TIMEOUT": wait, "SHARDPROXY_FIRST_REPLICAS": "1ms"})
			resp, body := w.get("/")
			if resp.StatusCode != c.status || !strings.Contains(body, c.kind) || resp.Header.Get("Retry-After") != "1" {
				t.Errorf("%d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
			}
			if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "nowhere") {
				t.Error("an address inside is told to the client")
			}
		})
	}
}

// An answer that breaks off must not look complete, in whichever framing.
func TestAnAnswerThatBreaksOffIsVisiblyIncomplete(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"counted": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		addr := nettest.Serve(t, func(c net.Conn) { nettest.ReadHead(c); _, _ = io.WriteString(c, answer) })
		w := start(t, entry("a", addr), nil)
		resp, err := http.Get("http://" + w.Data + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil || string(body) != "abc" {
			t.Errorf("%s: %q looks complete", name, body)
		}
	}
}

func TestTheReplicaLearnsThatTheClientLeft(t *testing.T) {
	t.Parallel()
	left, came := make(chan struct{}), make(chan struct{})
	a := newReplica(t, "a", func(_ http.ResponseWriter, r *http.Request) {
		close(came)
		<-r.Context().Done()
		close(left)
	})
	w := start(t, entry("a", a.addr()), nil)
	conn := w.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-came
	conn.Close()
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("the replica still works for a client that left")
	}
	w.eventually("no request in flight", func() bool { return w.shard("a").InFlight == 0 })
}

func TestBodiesTrailersAndInterimAnswersPassBothWays(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-End")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = w.Write(body)
		w.Header().Set("X-End", r.Trailer.Get("X-Sent"))
	})
	w := start(t, entry("a", a.addr()), nil)
	for name, size := range map[string]int{"small": 10, "large": 3 << 20} {
		conn := w.dial()
		content := bytes.Repeat([]byte{'a'}, size)
		go func() {
			_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: X-Sent\r\n\r\n%x\r\n%s\r\n0\r\nX-Sent: end\r\n\r\n", size, content)
		}()
		in := bufio.NewReader(conn)
		if early, _ := answerTo(t, in, "POST"); early.StatusCode != 103 || early.Header.Get("Link") == "" {
			t.Errorf("%s: %v", name, early)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(body, content) || resp.Trailer.Get("X-End") != "end" {
			t.Errorf("%s: %d bytes, %v, trailers %v", name, len(body), err, resp.Trailer)
		}
	}
}

func TestABodyIsHeldBackUntilTheReplicaWantsIt(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	w := start(t, entry("a", a.addr()), nil)
	conn := w.dial()
	in := bufio.NewReader(conn)
	const head = " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	if _, err := io.WriteString(conn, "POST /yes"+head); err != nil {
		t.Fatal(err)
	}
	if resp, _ := answerTo(t, in, "POST"); resp.StatusCode != 100 {
		t.Fatalf("%d before the body", resp.StatusCode)
	}
	if _, err := io.WriteString(conn, "abc"+"POST /no"+head); err != nil {
		t.Fatal(err)
	}
	if resp, body := answerTo(t, in, "POST"); resp.StatusCode != 200 || body != "abc" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	if resp, _ := answerTo(t, in, "POST"); resp.StatusCode != 403 || !resp.Close {
		t.Fatalf("%d to a body that nobody wants, close %v", resp.StatusCode, resp.Close)
	}
}

func TestHeadAndBodilessAnswersKeepTheConnection(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.WriteHeader(304)
		default:
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}
	})
	w := start(t, entry("a", a.addr()), nil)
	conn := w.dial()
	in := bufio.NewReader(conn)
	for _, c := range []struct {
		method, path string
		status       int
		length       int64
		body         string
	}{{"HEAD", "/", 200, 5, ""}, {"GET", "/204", 204, 0, ""}, {"GET", "/304", 304, 0, ""}, {"GET", "/", 200, 5, "hello"}} {
		if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", c.method, c.path); err != nil {
			t.Fatal(err)
		}
		resp, body := answerTo(t, in, c.method)
		if resp.StatusCode != c.status || resp.ContentLength > 0 && resp.ContentLength != c.length || body != c.body || resp.Close {
			t.Errorf("%s %s: %d, length %d, %q", c.method, c.path, resp.StatusCode, resp.ContentLength, body)
		}
	}
}

func TestAnUpgradedConnectionCarriesAnyBytesAndHalfCloses(t *testing.T) {
	t.Parallel()
	addr := nettest.Serve(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil || r.Header.Get("Upgrade") != "echo" {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello ")
		_, _ = io.Copy(c, in) // until the client has said all
		_, _ = io.WriteString(c, " bye")
	})
	w := start(t, entry("a", addr), nil)
	conn := w.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly "); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" {
		t.Fatalf("%v, %v", resp, err)
	}
	w.eventually("one in flight", func() bool { return w.shard("a").InFlight == 1 })
	if _, err := io.WriteString(conn, "late"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(in); err != nil || string(all) != "hello early late bye" {
		t.Errorf("%q, %v", all, err)
	}
	w.eventually("none in flight", func() bool { return w.shard("a").InFlight == 0 })
}

// At its end the process finishes what it has, and asks clients to go.
func TestTheEndLosesNoRequest(t *testing.T) {
	t.Parallel()
	came, goOn := make(chan struct{}), make(chan struct{})
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		close(came)
		waitFor(goOn, r)
		_, _ = io.WriteString(w, "whole")
	})
	w := start(t, entry("a", a.addr()), nil)
	conn := w.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-came
	w.Cancel()
	w.eventually("no new connections", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := new(net.Dialer).DialContext(ctx, "tcp", w.Data)
		if err != nil {
			return true
		}
		c.Close()
		return false
	})
	close(goOn)
	if resp, body := answerTo(t, bufio.NewReader(conn), "GET"); body != "whole" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	if err := w.Wait(); err != nil {
		t.Error(err)
	}
}

// HTTP/1.0 has neither chunks nor interim answers: the end of the connection is the end of
// an answer whose length nobody knows.
func TestAnOldClientIsAnsweredInItsVersion(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "second")
	})
	w := start(t, entry("a", a.addr()), nil)
	answer := w.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") || strings.Contains(head, "Transfer-Encoding") || !strings.Contains(head, "Connection: close") || body != "first second" {
		t.Errorf("%q", answer)
	}
}

package http1

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers with what it was asked, and with the length of the body.
type echo struct{ handle func(*Conn) }

func (e echo) ServeHTTP1(c *Conn) {
	if e.handle != nil {
		e.handle(c)
		return
	}
	n := int64(0)
	if c.Request.Length != 0 {
		n, _ = io.Copy(io.Discard, c.Body())
	}
	_ = c.Send(200, c.Begin(200), fmt.Appendf(nil, "%s %s %s %d", c.Request.Method, c.Request.Path, c.Request.Host, n))
}

func start(t *testing.T, s *Server) string {
	t.Helper()
	s.Log = slog.New(slog.DiscardHandler)
	if s.Handler == nil {
		s.Handler = echo{}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func dial(t *testing.T, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func read(t *testing.T, br *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp, string(b)
}

// What two parsers could read in two ways is refused, and the connection ends.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	addr := start(t, &Server{})
	const h = "Host: x\r\n"
	for text, status := range map[string]int{
		"GET / HTTP/1.1\r\n\r\n":                                                              400,
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                                        400,
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n":                                                 400,
		"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n":                                                 400,
		"GET / HTTP/1.1\nHost: x\n\n\r\n\r\n":                                                 400,
		"GET  / HTTP/1.1\r\n" + h + "\r\n":                                                    400,
		"GET / x HTTP/1.1\r\n" + h + "\r\n":                                                   400,
		"GET /\r\n" + h + "\r\n":                                                              400,
		"G(T / HTTP/1.1\r\n" + h + "\r\n":                                                     400,
		"GET / HTTP/2.0\r\n" + h + "\r\n":                                                     505,
		"GET / http/1.1\r\n" + h + "\r\n":                                                     400,
		"GET relative HTTP/1.1\r\n" + h + "\r\n":                                              400,
		"GET ftp://x/ HTTP/1.1\r\n" + h + "\r\n":                                              400,
		"GET http://u@x/ HTTP/1.1\r\n" + h + "\r\n":                                           400,
		"GET /\x00 HTTP/1.1\r\n" + h + "\r\n":                                                 400,
		"GET /\xff HTTP/1.1\r\n" + h + "\r\n":                                                 400,
		"GET /# HTTP/1.1\r\n" + h + "\r\n":                                                    400,
		"CONNECT x:1 HTTP/1.1\r\n" + h + "\r\n":                                               501,
		"GET / HTTP/1.1\r\n" + h + "Name : v\r\n\r\n":                                         400,
		"GET / HTTP/1.1\r\n" + h + " folded\r\n\r\n":                                          400,
		"GET / HTTP/1.1\r\n" + h + "A: b\r\n c\r\n\r\n":                                       400,
		"GET / HTTP/1.1\r\n" + h + "no colon\r\n\r\n":                                         400,
		"GET / HTTP/1.1\r\n" + h + "A: b\x00c\r\n\r\n":                                        400,
		"GET / HTTP/1.1\r\n" + h + "A: b\rc\r\n\r\n":                                          400,
		"POST / HTTP/1.1\r\n" + h + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx":         400,
		"POST / HTTP/1.1\r\n" + h + "Content-Length: +1\r\n\r\nx":                             400,
		"POST / HTTP/1.1\r\n" + h + "Content-Length: 1, 1\r\n\r\nx":                           400,
		"POST / HTTP/1.1\r\n" + h + "Content-Length: 9999999999999999999\r\n\r\nx":            400,
		"POST / HTTP/1.1\r\n" + h + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
		"POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n":                501,
		"POST / HTTP/1.1\r\n" + h + "Expect: wonders\r\nContent-Length: 1\r\n\r\nx":           417,
		"POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: identity\r\n\r\n":                     501,
		"POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n":                      400,
		"GET /" + strings.Repeat("x", h1.MaxTarget) + " HTTP/1.1\r\n" + h + "\r\n":            414,
		"GET / HTTP/1.1\r\n" + h + strings.Repeat("A: b\r\n", h1.MaxFields) + "\r\n":          431,
		"GET / HTTP/1.1\r\n" + h + "A: " + strings.Repeat("x", MaxHead) + "\r\n\r\n":          431,
		"GET /" + strings.Repeat("x", MaxHead+8192):                                           414,
	} {
		_, br := dial(t, addr, text)
		resp, body := read(t, br, "GET")
		if resp.StatusCode != status || !resp.Close || !strings.Contains(body, `"status":`+fmt.Sprint(status)) {
			t.Errorf("%.80q: %d, close %v, %q", text, resp.StatusCode, resp.Close, body)
		}
		if _, err := br.ReadByte(); err != io.EOF {
			t.Errorf("%.80q: the connection stays open: %v", text, err)
		}
	}
}

func TestAcceptedForms(t *testing.T) {
	addr := start(t, &Server{})
	for text, want := range map[string]string{
		"GET /a%2Fb?c HTTP/1.1\r\nHost: x\r\n\r\n":                          "GET /a%2Fb x 0",
		"\r\n\r\nGET / HTTP/1.1\r\nhOST:x\r\n\r\n":                          "GET / x 0",
		"GET http://y:81/a HTTP/1.1\r\nHost: x\r\n\r\n":                     "GET /a y:81 0",
		"GET HTTP://y?q HTTP/1.1\r\nHost: x\r\n\r\n":                        "GET / y 0",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                             "OPTIONS * x 0",
		"GET / HTTP/1.0\r\n\r\n":                                            "GET /  0",
		"POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\nabc": "POST / [::1]:80 3",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n": "POST / x 5",
	} {
		_, br := dial(t, addr, text)
		if _, body := read(t, br, "GET"); body != want {
			t.Errorf("%q: %q, want %q", text, body, want)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	addr := start(t, &Server{})
	_, br := dial(t, addr, strings.Repeat("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n", 1)+
		"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nzz"+"GET /d HTTP/1.1\r\nHost: x\r\n\r\n")
	want := []string{"GET /a x 0", "POST /b x 1"}
	for _, w := range want {
		if _, body := read(t, br, "GET"); body != w {
			t.Errorf("%q, want %q", body, w)
		}
	}
}

func TestAnUnreadBodyIsNeverTakenForARequest(t *testing.T) {
	addr := start(t, &Server{Handler: echo{func(c *Conn) { _ = c.Send(200, c.Begin(200), []byte("ok")) }}})
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	_, br := dial(t, addr, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled))
	resp, _ := read(t, br, "POST")
	if !resp.Close {
		t.Error("no Connection: close")
	}
	if rest, _ := io.ReadAll(br); len(rest) > 0 {
		t.Errorf("answered %q", rest)
	}
	// A small rest of known length that is already here is skipped, and the connection lives.
	_, br = dial(t, addr, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%sGET / HTTP/1.1\r\nHost: x\r\n\r\n", len(smuggled), smuggled))
	read(t, br, "POST")
	read(t, br, "GET")
}

// A transport may hold a body for longer than the exchange, whose connection goes on.
func TestALateReadGetsNothingOfTheNextBody(t *testing.T) {
	var late io.Reader
	addr := start(t, &Server{Handler: echo{func(c *Conn) {
		if late == nil {
			late = c.Body()
			_ = c.Send(200, c.Begin(200), nil)
			return
		}
		if n, err := late.Read(make([]byte, 10)); n > 0 || err != errBodyClosed {
			t.Errorf("read %d bytes, %v", n, err)
		}
		echo{}.ServeHTTP1(c)
	}}})
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"
	_, br := dial(t, addr, post+post)
	read(t, br, "POST")
	if _, body := read(t, br, "POST"); body != "POST / x 5" {
		t.Errorf("the second request is %q", body)
	}
}

func TestMalformedBodiesEndWithTheReason(t *testing.T) {
	for body, want := range map[string]error{
		"zz\r\nabc\r\n0\r\n\r\n": h1.ErrChunk, "3\nabc\r\n0\r\n\r\n": h1.ErrChunk, "3\r\nabcd\r\n0\r\n\r\n": h1.ErrChunk,
		"0\r\nno field\r\n\r\n": h1.ErrTrailer, "0\r\nA: " + strings.Repeat("x", 8<<10) + "\r\n\r\n": h1.ErrTrailer,
	} {
		got := make(chan error, 1)
		addr := start(t, &Server{Handler: echo{func(c *Conn) {
			_, err := io.Copy(io.Discard, c.Body())
			got <- err
			_ = c.Send(400, c.Begin(400), nil)
		}}})
		_, br := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
		if resp, _ := read(t, br, "POST"); !resp.Close {
			t.Errorf("%.40q: the connection is kept", body)
		}
		if err := <-got; err != want {
			t.Errorf("%.40q: %v, want %v", body, err, want)
		}
	}
}

func TestContinueIsSentWhenTheBodyIsRead(t *testing.T) {
	addr := start(t, &Server{})
	c, br := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 100 {
		t.Fatal(resp, err)
	}
	_, _ = io.WriteString(c, "ok")
	if _, body := read(t, br, "POST"); body != "POST / x 2" {
		t.Errorf("%q", body)
	}
}

func TestAnAnswerInsteadOfContinueClosesTheConnection(t *testing.T) {
	addr := start(t, &Server{Handler: echo{func(c *Conn) { _ = c.Send(413, c.Begin(413), nil) }}})
	_, br := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if resp, _ := read(t, br, "POST"); resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%d, close %v", resp.StatusCode, resp.Close)
	}
}

func TestContinueNeverFollowsTheAnswer(t *testing.T) {
	addr := start(t, &Server{Stall: 50 * time.Millisecond, Handler: echo{func(c *Conn) {
		_ = c.Send(200, c.Begin(200), nil)
		_, _ = c.Body().Read(make([]byte, 1))
	}}})
	_, br := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if all, err := io.ReadAll(br); err != nil || bytes.Contains(all, []byte("100 Continue")) {
		t.Errorf("%q, %v", all, err)
	}
}

// A transport may be stuck in a read of the body when the answer is already known.
func TestAnEarlyAnswerDoesNotWaitForTheBody(t *testing.T) {
	reading := make(chan struct{})
	ended := make(chan error, 1)
	addr := start(t, &Server{Handler: echo{func(c *Conn) {
		go func() {
			b := make([]byte, 100)
			_, _ = c.Body().Read(b)
			close(reading)
			_, err := io.ReadFull(c.Body(), b)
			ended <- err
		}()
		<-reading
		_ = c.Send(413, c.Begin(413), nil)
	}}})
	_, br := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nstart")
	if resp, _ := read(t, br, "POST"); resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%d, close %v", resp.StatusCode, resp.Close)
	}
	if err := <-ended; err == nil {
		t.Error("the read went on")
	}
}

func TestALargeBodyTakesAsLongAsTheClientNeeds(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 8<<20)
	addr := start(t, &Server{Stall: 300 * time.Millisecond, Handler: echo{func(c *Conn) { _ = c.Send(200, c.Begin(200), body) }}})
	_, br := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	total := int64(0)
	for range 8 { // slower than Stall as a whole, never for a piece
		n, err := io.CopyN(io.Discard, resp.Body, 1<<20)
		total += n
		if err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
		time.Sleep(60 * time.Millisecond) // the client's own pace
	}
}

func TestStreamedBodies(t *testing.T) {
	parts := []string{"one", "", "two", strings.Repeat("x", 100000)}
	all := strings.Join(parts, "")
	for _, length := range []int64{Unknown, int64(len(all))} {
		addr := start(t, &Server{Handler: echo{func(c *Conn) {
			_ = c.Stream(200, c.Begin(200), length)
			for _, p := range parts {
				_, _ = c.Write([]byte(p))
			}
			_ = c.Finish(nil)
			if c.Request.Method == "GET" && c.Sent() != int64(len(all)) {
				t.Errorf("sent %d, want %d", c.Sent(), len(all))
			}
		}}})
		for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
			_, br := dial(t, addr, "GET / "+version+"\r\nHost: x\r\n\r\n")
			resp, body := read(t, br, "GET")
			if body != all || version == "HTTP/1.0" && (len(resp.TransferEncoding) > 0 || !resp.Close) {
				t.Errorf("%s length %d: %d bytes, %v", version, length, len(body), resp.TransferEncoding)
			}
		}
		_, br := dial(t, addr, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
		read(t, br, "HEAD")
		if _, body := read(t, br, "GET"); body != all {
			t.Errorf("after HEAD: %d bytes", len(body))
		}
	}
}

func TestABodyThatBreaksOffIsVisible(t *testing.T) {
	for _, length := range []int64{Unknown, 10} {
		addr := start(t, &Server{Handler: echo{func(c *Conn) {
			_ = c.Stream(200, c.Begin(200), length)
			_, _ = c.Write([]byte("half"))
			_ = c.Finish(io.ErrUnexpectedEOF)
		}}})
		_, br := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("length %d: a whole body %q", length, b)
		}
	}
}

func TestASlowHeadIsCutOff(t *testing.T) {
	addr := start(t, &Server{Head: 50 * time.Millisecond})
	_, br := dial(t, addr, "GET / HT")
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("%v", err)
	}
}

func TestTooManyConnectionsAreClosed(t *testing.T) {
	refused := make(chan struct{}, 1)
	addr := start(t, &Server{MaxConns: 1, Refused: func() { refused <- struct{}{} }})
	_, first := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	read(t, first, "GET")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-refused
}

func TestShutdownFinishesWhatIsInFlightAndClosesIdleOnes(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := &Server{Handler: echo{func(c *Conn) {
		if c.Request.Path == "/slow" {
			close(entered)
			<-release
		}
		_ = c.Send(200, c.Begin(200), []byte("done"))
	}}}
	addr := start(t, s)
	_, idle := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	read(t, idle, "GET")
	_, slow := dial(t, addr, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	if _, err := idle.ReadByte(); err == nil {
		t.Error("the idle connection lives")
	}
	close(release)
	if resp, body := read(t, slow, "GET"); body != "done" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

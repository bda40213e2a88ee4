package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHeadsAreReadInPiecesOfAnySize(t *testing.T) {
	t.Parallel()
	const raw = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;e=1\r\nabcd\r\n2\r\nef\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n" +
		"GET /b HTTP/1.1\r\nHost: y\r\n\r\n"
	for name, src := range map[string]io.Reader{
		"whole": strings.NewReader(raw), "bytes": iotest.OneByteReader(strings.NewReader(raw)), "halves": iotest.HalfReader(strings.NewReader(raw)),
	} {
		r := NewReader(src, 0)
		var q Request
		if err := r.ReadRequest(&q, 1000); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var b Body
		b.Start(r, q.Length, 0)
		content, err := io.ReadAll(&b)
		if err != nil || string(content) != "abcdef" || !b.Reusable() {
			t.Errorf("%s: body %q, %v", name, content, err)
		}
		if len(b.Trailers) != 1 || string(b.Trailers[0].Name) != "X-T" {
			t.Errorf("%s: trailers %v", name, b.Trailers)
		}
		if string(q.Target) != "/a" || string(q.Host) != "x" {
			t.Errorf("%s: reading the body disturbed the head: %s %s", name, q.Target, q.Host)
		}
		if err := r.Wait(nil); err != nil {
			t.Fatal(err)
		}
		if err := r.ReadRequest(&q, 1000); err != nil || string(q.Target) != "/b" || q.HasBody() {
			t.Errorf("%s: second request %s, %v", name, q.Target, err)
		}
	}
}

func TestABufferGrowsByTheHeadOnlyAndNotByTheBody(t *testing.T) {
	t.Parallel()
	raw := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\na\r\n", 100_000) + "0\r\n\r\n"
	r := NewReader(strings.NewReader(raw), 0)
	var q Request
	if err := r.ReadRequest(&q, 1000); err != nil {
		t.Fatal(err)
	}
	var b Body
	b.Start(r, q.Length, 0)
	if n, err := io.Copy(io.Discard, &b); n != 100_000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if len(r.buf) != minBuffer {
		t.Errorf("the buffer has %d bytes", len(r.buf))
	}
}

func TestLimitsOfBodies(t *testing.T) {
	t.Parallel()
	var b Body
	b.Start(NewReader(strings.NewReader("abcdef"), 0), 6, 5)
	if _, err := io.ReadAll(&b); !errors.Is(err, ErrBodyTooLong) {
		t.Errorf("announced: %v", err)
	}
	b.Start(NewReader(strings.NewReader("6\r\nabcdef\r\n0\r\n\r\n"), 0), -1, 5)
	if _, err := io.ReadAll(&b); !errors.Is(err, ErrBodyTooLong) {
		t.Errorf("chunked: %v", err)
	}
	b.Start(NewReader(strings.NewReader("abc"), 0), 6, 0)
	if _, err := io.ReadAll(&b); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
}

func TestUpgradesToHTTP2AreNotOffered(t *testing.T) {
	t.Parallel()
	for offer, want := range map[string]string{"websocket": "websocket", "h2c": "", "H2C": "", "h2": "", "HTTP/2.0": "", "websocket, h2c": "", "": ""} {
		var q Request
		raw := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + offer + "\r\n\r\n"
		if err := NewReader(strings.NewReader(raw), 0).ReadRequest(&q, 1000); err != nil {
			t.Fatal(err)
		}
		if got := string(q.WantsUpgrade()); got != want {
			t.Errorf("%q: %q", offer, got)
		}
	}
}

func TestTargetsComeInOriginForm(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"GET /a%2Fb?c=/d HTTP/1.1":              "host /a%2Fb?c=/d",
		"OPTIONS * HTTP/1.1":                    "host *",
		"GET http://y:81/a?b HTTP/1.1":          "y:81 /a?b",
		"GET HTTPS://[::1]/ HTTP/1.1":           "[::1] /",
		"GET http://y HTTP/1.1":                 "y /",
		"GET http://y?b=/c?d HTTP/1.1":          "y /?b=/c?d",
		"GET https://y.example? HTTP/1.0":       "y.example /?",
		"GET http:///a HTTP/1.1":                ErrHost.Detail,
		"GET http://u@y/ HTTP/1.1":              ErrHost.Detail,
		"GET http://y%41/ HTTP/1.1":             ErrHost.Detail,
		"GET http:// HTTP/1.1":                  ErrTarget.Detail,
		"GET ftp://y/ HTTP/1.1":                 ErrTarget.Detail,
		"GET * HTTP/1.1":                        ErrTarget.Detail,
		"GET y HTTP/1.1":                        ErrTarget.Detail,
		"GET /caf\xc3\xa9 HTTP/1.1":             ErrTargetByte.Detail,
		"GET /a#b HTTP/1.1":                     ErrTargetByte.Detail,
		"GET http://y#b HTTP/1.1":               ErrTargetByte.Detail,
		"GET /a b HTTP/1.1":                     ErrTargetByte.Detail,
		"GET /" + long(MaxTarget) + " HTTP/1.1": ErrTargetLength.Detail,
		"GET /" + long(32<<10) + " HTTP/1.1":    ErrTargetLength.Detail,
	} {
		var q Request
		got := ""
		if err := NewReader(strings.NewReader(line+"\r\nHost: host\r\n\r\n"), 0).ReadRequest(&q, 16<<10); err != nil {
			got = err.Error()
		} else {
			got = string(q.Host) + " " + string(q.Target)
		}
		if got != want {
			t.Errorf("%.60q: %s, want %s", line, got, want)
		}
	}
}

func long(n int) string { return strings.Repeat("a", n) }

func TestHostsAreNamesOrAddresses(t *testing.T) {
	t.Parallel()
	for fields, ok := range map[string]bool{
		"Host: a.localhost:8443\r\n": true, "Host: [::1]:80\r\n": true, "Host: A_b.~c-\r\n": true, "Host: " + long(maxHost) + "\r\n": true,
		"Host:\r\n": false, "": false, "Host: a b\r\n": false, "Host: a/b\r\n": false, "Host: u@a\r\n": false, "Host: a%20\r\n": false,
		"Host: \xff\r\n": false, "Host: a,b\r\n": false, "Host: a\r\nHost: a\r\n": false, "Host: " + long(maxHost+1) + "\r\n": false,
	} {
		var q Request
		err := NewReader(strings.NewReader("GET / HTTP/1.1\r\n"+fields+"\r\n"), 0).ReadRequest(&q, 1000)
		if ok && err != nil || !ok && err != ErrHost {
			t.Errorf("%q: %v", fields, err)
		}
	}
	for _, fields := range []string{"", "Host:\r\n", "Host: a\r\n"} { // HTTP/1.0 knows none, and may say so
		var q Request
		if err := NewReader(strings.NewReader("GET / HTTP/1.0\r\n"+fields+"\r\n"), 0).ReadRequest(&q, 1000); err != nil {
			t.Errorf("HTTP/1.0 with %q: %v", fields, err)
		}
	}
}

func TestAnEmptyChunkedBodyIsSeenWithoutWaiting(t *testing.T) {
	t.Parallel()
	for raw, at := range map[string]bool{"0\r\n\r\n": true, "0\r\n": false, "": false, "0\r\nT: 1\r\n\r\n": false, "1\r\na\r\n0\r\n\r\n": false, "00\r\n\r\n": false} {
		r := NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+raw), 0)
		var q Request
		if err := r.ReadRequest(&q, 1000); err != nil {
			t.Fatal(err)
		}
		var b Body
		b.Start(r, q.Length, 0)
		if b.AtEnd() != at {
			t.Errorf("%q: at its end: %v", raw, !at)
		}
		if at && r.Buffered() > 0 {
			t.Errorf("%q: %d bytes are left for the next request", raw, r.Buffered())
		}
	}
}

// What we accept net/http must read in the same way, or else refuse: a message
// that two parsers understand differently is how requests are smuggled.
func FuzzRequestMeansTheSameToNetHTTP(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET http://y/z HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
		"GET HTTP://y?z HTTP/1.0\r\nA:  b \r\na:\tc\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(bytes.NewReader(raw), 0)
		var q Request
		if r.ReadRequest(&q, 8<<10) != nil || string(q.Method) == "CONNECT" {
			return
		}
		var b Body
		if q.HasBody() {
			b.Start(r, q.Length, 1<<20)
		}
		content, err := io.ReadAll(&b)
		theirs, theirErr := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if theirErr != nil {
			return // stricter than we, which is no danger
		}
		sameHead(t, &q, theirs)
		theirBody, theirErr := io.ReadAll(theirs.Body)
		if err == nil && theirErr == nil && !bytes.Equal(content, theirBody) {
			t.Errorf("%q: body %q, net/http %q", raw, content, theirBody)
		}
	})
}

func sameHead(t *testing.T, q *Request, theirs *http.Request) {
	t.Helper()
	length := q.Length
	if length == lengthUnknown {
		length = 0
	}
	if theirs.Method != string(q.Method) || theirs.Host != string(q.Host) || theirs.ContentLength != length {
		t.Errorf("method %q host %q length %d, net/http %q %q %d", q.Method, q.Host, length, theirs.Method, theirs.Host, theirs.ContentLength)
	}
	for _, field := range q.Fields {
		switch field.Kind {
		case Host, TransferEncoding, Trailer: // net/http takes them out
			continue
		}
		if name := http.CanonicalHeaderKey(string(field.Name)); !slices.Contains(theirs.Header[name], string(field.Value)) {
			t.Errorf("net/http lacks %s: %q", name, field.Value)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 101\r\nUpgrade: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 200 \r\n\r\nrest"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(bytes.NewReader(raw), 0)
		var p Response
		if r.ReadResponse(&p, 8<<10) != nil {
			return
		}
		if p.Status < 100 || p.Status > 999 {
			t.Errorf("status %d", p.Status)
		}
		var b Body
		b.Start(r, p.BodyLength(false), 0)
		_, _ = io.Copy(io.Discard, &b)
	})
}

package shardkey

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// nginxKeys are keys, and how nginx says them in a "hash … consistent".
var nginxKeys = []struct{ ours, theirs string }{
	{"uri", "$request_uri"}, {"client", "$remote_addr"}, {"header:X-Region", "$http_x_region"}, {"cookie:session", "$cookie_session"},
	{"header:X-Region+uri", "$http_x_region $request_uri"}, {"client+cookie:session+header:X-Region", "$remote_addr $cookie_session $http_x_region"},
}

// TestRealNginxMakesTheSameKeys lets a real nginx say what it would hash.
func TestRealNginxMakesTheSameKeys(t *testing.T) {
	t.Parallel()
	addr := nettest.Refuse(t)
	fields := ""
	for i, k := range nginxKeys {
		fields += fmt.Sprintf("add_header X-Key-%d %q always;\n", i, "<"+k.theirs+">")
	}
	realserver.Nginx(t, "keys are NOT compared with it here", addr,
		fmt.Sprintf("merge_slashes on; server { listen %s; location / { %s return 204; } }", addr, fields))
	for _, r := range []*request{
		{target: "/", fields: http.Header{"X-Region": {"eu"}, "Cookie": {"session=1"}}},
		{target: "/a//b/../c%2F%c3%a9?x=1&y?", fields: http.Header{"X-Region": {"eu west"}, "Cookie": {"a=1; session=abc%3D; b=2"}}},
		{target: "/x;y=1?", fields: http.Header{"X-Region": {"é"}, "Cookie": {"a=1;session=q\"r ; sessions=3"}}},
		{target: "/only-a-region", fields: http.Header{"X-Region": {"eu"}}},
		{target: "/only-a-cookie", fields: http.Header{"Cookie": {"session=7"}}},
	} {
		r.client = netip.MustParseAddr("127.0.0.1")
		answer := askRaw(t, addr, r)
		for i, k := range nginxKeys {
			theirs, ours := answer.Get(fmt.Sprintf("X-Key-%d", i)), "<"+string(parse(t, k.ours).Append(nil, r))+">"
			if theirs == "<>" && ours == "<"+r.target+">" {
				continue // where all is missing nginx has one key for all, and ours is the target
			}
			if theirs != ours {
				t.Errorf("%s, %s: ours %q, nginx's %q", r.target, k.ours, ours, theirs)
			}
		}
	}
}

// askRaw sends a request as it is written.
func askRaw(t *testing.T, addr string, r *request) http.Header {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	head := "GET " + r.target + " HTTP/1.1\r\nHost: shards\r\nConnection: close\r\n"
	for name, lines := range r.fields {
		head += name + ": " + lines[0] + "\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.Header
}

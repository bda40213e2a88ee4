package realserver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// Nginx starts nginx with what stands in the http block of its configuration, and waits
// until it accepts connections at addr, where that lets it listen.
func Nginx(t testing.TB, untried, addr, block string) {
	t.Helper()
	program := Find(t, "nginx", untried)
	dir := t.TempDir()
	conf := fmt.Sprintf(`daemon off; master_process off; error_log %[1]s/error.log; pid %[1]s/pid; worker_processes 1;
events { worker_connections 256; }
http {
	access_log off; keepalive_requests 1000000;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	%[2]s
}`, dir, block)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", file)
	cmd.Stderr = os.Stderr
	Start(t, cmd, addr)
}

// NginxShards starts nginx with "hash $request_uri consistent" before servers of its own,
// each of which names itself in X-Server: one for each weight, and that with the index down, if
// there is one, is "down".
func NginxShards(t testing.TB, untried string, weights []int, down int) (addr string, servers []string) {
	t.Helper()
	addr = nettest.Refuse(t)
	var upstream, blocks strings.Builder
	for i, weight := range weights {
		one := nettest.Refuse(t)
		servers = append(servers, one)
		state := ""
		if i == down {
			state = " down"
		}
		fmt.Fprintf(&upstream, "server %s weight=%d%s;\n", one, weight, state)
		fmt.Fprintf(&blocks, "server { listen %s; location / { add_header X-Server %s; return 204; } }\n", one, one)
	}
	Nginx(t, untried, addr, fmt.Sprintf(`upstream shards { hash $request_uri consistent; %s keepalive 32; }
	server { listen %s; location / { proxy_pass http://shards; proxy_http_version 1.1; proxy_set_header Connection ""; } }
	%s`, upstream.String(), addr, blocks.String()))
	return addr, servers
}

// Served asks for all URIs over one connection, and returns whom X-Server names.
func Served(t testing.TB, addr string, uris []string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	all := make([]string, len(uris))
	for i, uri := range uris {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: shards\r\n\r\n", uri); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		all[i] = answer.Header.Get("X-Server")
	}
	return all
}

// A Placement is a case in which placement is compared: the weights of servers, and which
// of them is down, or -1.
type Placement struct {
	Weights []int
	Down    int
}

// Placements are the cases, by name: equal weights, different ones, and one server down.
func Placements() map[string]Placement {
	return map[string]Placement{
		"equal weights": {[]int{1, 1, 1, 1, 1}, -1}, "weights": {[]int{1, 5, 2, 1, 3}, -1}, "one down": {[]int{1, 1, 2, 1, 1}, 2},
	}
}

// URIs are 10,000 different ones.
func URIs() []string {
	all := make([]string, 10_000)
	for i := range all {
		all[i] = fmt.Sprintf("/word/%d?lang=%%c3%%a9&n=%d", i, i*i)
	}
	return all
}

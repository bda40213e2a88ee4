package shardproxy

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
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// TestTheProxyPlacesAsARealNginx asks both, end to end, for 10,000 URIs: with equal
// weights, with different ones, and with one server down. The shards of the proxy are the
// servers that nginx has before it, and every one of them answers with its name.
func TestTheProxyPlacesAsARealNginx(t *testing.T) {
	t.Parallel()
	program := realserver.Find(t, "nginx", "placement is NOT compared with it here")
	for name, c := range map[string]struct {
		weights []int
		down    int
	}{
		"equal weights": {[]int{1, 1, 1, 1, 1}, -1}, "weights": {[]int{1, 5, 2, 1, 3}, -1}, "one down": {[]int{1, 1, 2, 1, 1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, servers := startNginx(t, program, c.weights, c.down)
			text := ""
			for i, server := range servers {
				replicas := server
				if i == c.down {
					replicas = nettest.Refuse(t)
				}
				text += fmt.Sprintf("- {name: %q, weight: %d, replicas: %q}\n", server, c.weights[i], replicas)
			}
			w := start(t, text, nil)
			uris := make([]string, 10_000)
			for i := range uris {
				uris[i] = fmt.Sprintf("/word/%d?lang=%%c3%%a9&n=%d", i, i*i)
			}
			ours, theirs := ask(t, w.Data, uris), ask(t, addr, uris)
			differences := 0
			for i := range uris {
				if ours[i] == "" || ours[i] != theirs[i] {
					differences++
				}
			}
			if t.Logf("%d URIs, %d differences", len(uris), differences); differences != 0 {
				t.Errorf("%d of %d lie elsewhere", differences, len(uris))
			}
		})
	}
}

// startNginx starts nginx before servers of its own: each answers with its name.
func startNginx(t *testing.T, program string, weights []int, down int) (addr string, servers []string) {
	t.Helper()
	dir := t.TempDir()
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
	conf := fmt.Sprintf(`daemon off; master_process off; error_log %[1]s/error.log; pid %[1]s/pid; worker_processes 1;
events { worker_connections 256; }
http {
	access_log off; keepalive_requests 1000000;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	upstream shards { hash $request_uri consistent; %[2]s keepalive 32; }
	server { listen %[3]s; location / { proxy_pass http://shards; proxy_http_version 1.1; proxy_set_header Connection ""; } }
	%[4]s
}`, dir, upstream.String(), addr, blocks.String())
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", file)
	cmd.Stderr = os.Stderr
	realserver.Start(t, cmd, addr)
	return addr, servers
}

// ask asks for all URIs over one connection, and returns who answered.
func ask(t *testing.T, addr string, uris []string) []string {
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

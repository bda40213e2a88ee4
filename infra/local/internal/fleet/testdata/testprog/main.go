// Command testprog is a process of a fleet for tests of the runner: it answers
// with its name, is ready when told so, crashes on demand, and writes what
// happens to it into a journal.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "grandchild" {
		select {} // until it is killed
	}
	if code, err := os.ReadFile(os.Getenv("TEST_EXIT_FILE")); err == nil { // the file says: crash at start
		fmt.Println("crashing at start, as told")
		n, _ := strconv.Atoi(strings.TrimSpace(string(code)))
		os.Exit(n)
	}
	if os.Getenv("TEST_GRANDCHILD") == "on" {
		child := exec.Command(os.Args[0], "grandchild")
		if err := child.Start(); err != nil {
			panic(err)
		}
		journal("grandchild " + fmt.Sprint(child.Process.Pid))
	}
	data, err := listen(os.Getenv("LISTEN_ADDR"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	admin, err := listen(os.Getenv("ADMIN_ADDR"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	serve(data, admin)
}

func serve(data, admin net.Listener) {
	name := os.Getenv("INSTANCE")
	var draining atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		_, err := os.Stat(os.Getenv("TEST_UNREADY_FILE"))
		if draining.Load() || err == nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := r.URL.Query().Get("exit"); code != "" {
			n, _ := strconv.Atoi(code)
			os.Exit(n)
		}
		fmt.Fprint(w, name)
	})}
	var open atomic.Int64
	server.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(data)
	}()
	fmt.Println("serving", os.Getenv("TEST_GREETING"))
	journal("up " + name)
	go http.Serve(admin, mux) // ready from here on

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	if os.Getenv("TEST_DEAF") == "on" {
		select {}
	}
	draining.Store(true)
	journal("down " + name)
	if delay, err := time.ParseDuration(os.Getenv("DRAIN_DELAY")); err == nil {
		time.Sleep(delay)
	}
	// Server.Shutdown would drop requests that arrive on connections it has
	// accepted at the last moment.
	data.Close()
	<-served
	for deadline := time.Now().Add(time.Second); open.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	journal("end " + name)
}

func listen(addr string) (net.Listener, error) {
	if fd, inherited := strings.CutPrefix(addr, "fd:"); inherited {
		n, err := strconv.Atoi(fd)
		if err != nil {
			return nil, err
		}
		return net.FileListener(os.NewFile(uintptr(n), "listener"))
	}
	return net.Listen("tcp", addr)
}

// journal adds a line to the journal of the test, in one write.
func journal(line string) {
	path := os.Getenv("TEST_JOURNAL")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

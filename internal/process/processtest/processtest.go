// Package processtest runs a program inside a test as its main would: with
// parameters, on listeners of its own, until the test ends.
//
//	cfg := processtest.Parse[content.Config](t, content.Program, map[string]string{"CONTENT_DIR": dir})
//	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return content.Run(ctx, cfg) })
//	resp, err := http.Get("http://" + running.Data)
package processtest

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
)

// patience bounds how long a program may take to start and to end.
const patience = 20 * time.Second

// Parse reads the configuration of a program from env above what suits a test:
// free ports on loopback, no delay before draining, errors alone in the log.
func Parse[C any](t testing.TB, program process.Program, env map[string]string) C {
	t.Helper()
	values := map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "ERROR"}
	maps.Copy(values, env)
	cfg, err := process.Parse[C](program, values)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Running is a program that runs in a test.
type Running struct {
	Data, Admin string          // addresses of its listeners
	Ended       <-chan struct{} // closed when it has ended

	cancel context.CancelFunc
	err    error       // that it ended with; written before Ended is closed
	asked  atomic.Bool // the test has seen err
}

// Start calls run and returns when the program listens. The contract is that of
// the configuration with which run runs. The end of the test ends the program,
// and a program that ends with an error which nobody asked for fails the test.
func Start(t testing.TB, contract *process.Contract, run func(context.Context) error) *Running {
	t.Helper()
	listening, ended := make(chan struct{}), make(chan struct{})
	r := &Running{Ended: ended}
	contract.OnListen = func(data, admin net.Addr) {
		r.Data, r.Admin = data.String(), admin.String()
		close(listening)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(ended)
		r.err = run(ctx)
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		r.Cancel()
		if seen := r.asked.Load(); r.Wait() != nil && !seen {
			t.Errorf("the program ended: %v", r.err)
		}
	})
	select {
	case <-listening:
	case <-ended:
		t.Fatalf("the program did not start: %v", r.Wait())
	case <-time.After(patience):
		t.Fatalf("the program does not listen after %s", patience)
	}
	return r
}

// Cancel asks the program to end, as SIGTERM does, and does not wait for it.
func (r *Running) Cancel() { r.cancel() }

// Wait returns what the program ended with.
func (r *Running) Wait() error {
	r.asked.Store(true)
	select {
	case <-r.Ended:
		return r.err
	case <-time.After(patience):
		return errors.New("the program does not end")
	}
}

// Stop ends the program.
func (r *Running) Stop() error {
	r.Cancel()
	return r.Wait()
}

package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
)

// serve answers on the control socket. The socket of a runner that was killed
// is replaced; that there is no other runner is what the lock says.
func (f *Fleet) serve() (stop func(), err error) {
	path := control.Socket(f.cfg.Dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	server := &http.Server{Handler: f.routes(), ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) }) // ends with Shutdown
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		serving.Wait()
	}, nil
}

func (f *Fleet) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/fleet", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(WithMemory(f.Snapshot())) // the client is gone when this fails
	})
	commands := map[string]func(context.Context, control.Request, func(string)) error{
		"kill": func(ctx context.Context, r control.Request, say func(string)) error {
			return f.Kill(ctx, r.Name, r.Signal, say)
		},
		"pause":  func(_ context.Context, r control.Request, say func(string)) error { return f.Pause(r.Name, say) },
		"resume": func(_ context.Context, r control.Request, say func(string)) error { return f.Resume(r.Name, say) },
		"restart": func(ctx context.Context, r control.Request, say func(string)) error {
			return f.Restart(ctx, r.Name, say)
		},
		"scale": func(ctx context.Context, r control.Request, say func(string)) error {
			return f.Scale(ctx, r.Name, r.Count, say)
		},
		"down": f.down,
	}
	for name, run := range commands {
		mux.HandleFunc("POST /v1/"+name, func(w http.ResponseWriter, r *http.Request) { stream(w, r, run) })
	}
	return mux
}

// down goes down and tells how, to the end.
func (f *Fleet) down(_ context.Context, r control.Request, say func(string)) error {
	stop := f.listen(say)
	defer stop()
	f.Down(r.Now)
	<-f.downed
	return nil
}

// stream runs a command and writes its messages as they come. A command whose
// client is gone is finished all the same: half a restart helps nobody.
func stream(w http.ResponseWriter, r *http.Request, run func(context.Context, control.Request, func(string)) error) {
	var request control.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&request); err != nil {
		http.Error(w, "the body is no request: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	var mu sync.Mutex // guards w
	send := func(m control.Message) {
		mu.Lock()
		defer mu.Unlock()
		if json.NewEncoder(w).Encode(m) == nil {
			_ = http.NewResponseController(w).Flush()
		}
	}
	err := run(context.WithoutCancel(r.Context()), request, func(text string) { send(control.Message{Say: text}) })
	if err != nil {
		send(control.Message{Error: err.Error()})
		return
	}
	send(control.Message{Done: true})
}

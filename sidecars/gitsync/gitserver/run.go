package gitserver

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves the repository until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	token, err := secret("GITSERVER_TOKEN_FILE", cfg.TokenFile)
	if err != nil {
		return err
	}
	key, err := secret("GITSERVER_HOOK_SECRET_FILE", cfg.HookSecretFile)
	if err != nil {
		return err
	}
	if err := ensure(cfg.Dir, cfg.Branch, time.Now()); err != nil {
		return fmt.Errorf("repository of GITSERVER_DIR: %w", err)
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	h, err := newHook(cfg.HookURL, key, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	p.Go("hook", h.run)
	s := &server{
		dir: cfg.Dir, token: token, maxPush: int64(cfg.MaxPush), log: p.Log, pushed: h.pushed,
		fetches: make(chan struct{}, cfg.MaxFetches), pushes: make(chan struct{}, 1),
	}
	// A push is larger than what an API takes, so that it goes by another way.
	mux := http.NewServeMux()
	mux.Handle("POST /"+cfg.Name+"/git-receive-pack", p.Faults.Wrap(http.HandlerFunc(s.receive)))
	e := api.New(p)
	e.GET("/"+cfg.Name+"/info/refs", s.references)
	e.POST("/"+cfg.Name+"/git-upload-pack", s.upload)
	mux.Handle("/", e)
	p.Serve(api.Server(mux))
	return p.Run(ctx)
}

// secret reads a file with a secret, if there is one.
func secret(variable, file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", variable, err)
	}
	s := []byte(strings.TrimSpace(string(text)))
	if len(s) < 16 {
		return nil, fmt.Errorf("%s: want at least 16 characters", variable)
	}
	return s, nil
}

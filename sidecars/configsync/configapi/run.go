package configapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	token, err := readToken(cfg.TokenFile)
	if err != nil {
		return err
	}
	etcd, err := cfg.Etcd.Open(ctx)
	if err != nil {
		return err
	}
	defer etcd.Close()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if token == "" {
		p.Log.Warn("everybody may write: CONFIGAPI_TOKEN_FILE is not set")
	}
	reached := p.Health.Gate("etcd", "etcd was not reached yet")
	p.Go("etcd", func(ctx context.Context) error {
		if reach(ctx, etcd, cfg) == nil { // else the process has ended first
			reached.Open()
		}
		return nil
	})
	s := &service{
		store: &store{etcd: etcd, timeout: cfg.Etcd.Timeout, prefix: cfg.Prefix, history: cfg.History, maxNames: cfg.MaxNames},
		token: token, maxSize: int64(cfg.MaxSize),
	}
	e := api.New(p)
	s.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// reach returns when etcd has answered once. An etcd that goes away later makes
// no replica unready: all of them would be, and clients would be told nothing.
func reach(ctx context.Context, etcd *clientv3.Client, cfg Config) error {
	policy := retry.Policy{Backoff: retry.Backoff{Base: 50 * time.Millisecond, Max: time.Second}, Timeout: cfg.Etcd.Timeout}
	return retry.Do(ctx, policy, func(ctx context.Context) error {
		_, err := etcd.Get(ctx, cfg.Prefix, clientv3.WithCountOnly())
		return err
	})
}

// minToken is the shortest token that is no mistake.
const minToken = 16

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := watch.Read(file)
	if err != nil {
		return "", fmt.Errorf("read CONFIGAPI_TOKEN_FILE: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken {
		return "", fmt.Errorf("CONFIGAPI_TOKEN_FILE %s: want a token of at least %d characters", file, minToken)
	}
	return token, nil
}

package cache

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/cache/fanout"
	"github.com/flotilla-dev/flotilla/services/cache/limit"
)

// redisPrefix begins every key that replicas of the cache share.
const redisPrefix = "flotilla:cache"

// loginLeeway is how far the clocks of issuer and verifier may differ.
const loginLeeway = 5 * time.Second

// redisOptions says where replicas meet; nil: nowhere.
func (c *Config) redisOptions() (*redis.Options, error) {
	if c.RedisAddr == "" {
		return nil, nil
	}
	o := &redis.Options{Addr: c.RedisAddr}
	if c.RedisPasswordFile != "" {
		password, err := watch.Read(c.RedisPasswordFile)
		if err != nil {
			return nil, fmt.Errorf("CACHE_REDIS_PASSWORD_FILE: %w", err)
		}
		o.Password = strings.TrimSpace(string(password))
	}
	return o, nil
}

// share connects the server with its fellow replicas: limits and invalidations.
func (s *Server) share(p *process.Process, cfg *Config) error {
	o, err := cfg.redisOptions()
	if err != nil {
		return err
	}
	if err := s.startLimits(p, cfg, o); err != nil {
		return err
	}
	f, err := fanout.New(fanout.Options{Redis: o, Prefix: redisPrefix, Instance: p.Instance, Check: checkCommand, Applier: s, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		return err
	}
	p.Go("invalidations", f.Run)
	s.Doubt = func() bool { return !f.Current() }
	s.administer(p.Admin, f)
	return nil
}

func (s *Server) startLimits(p *process.Process, cfg *Config, o *redis.Options) error {
	limit.ClientLog(p.Log)
	var store limit.Store
	done := func() {}
	if o != nil {
		r := limit.NewRedis(*o, redisPrefix+":limit:")
		store, done = r, func() { _ = r.Close() } // nothing is left to be told when this fails
	}
	limiter, err := limit.New(limit.Options{Limits: s.policy.Load().Limits, Store: store, Instance: p.Instance,
		Replicas: cfg.LimitReplicas, Tracked: cfg.LimitTracked, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		done()
		return err
	}
	p.Go("limits", func(ctx context.Context) error { defer done(); return limiter.Run(ctx) })
	shedder, err := limit.NewShedder(limit.ShedOptions{InFlight: cfg.MaxInFlight, Queue: cfg.MaxQueued, Metrics: p.Metrics})
	if err != nil {
		return err
	}
	identifier := &limit.Identifier{Cookie: cfg.LoginCookie}
	if cfg.LoginKeyFile != "" {
		identifier.Tokens, err = limit.NewVerifier(limit.VerifierOptions{KeyFile: cfg.LoginKeyFile, Audience: cfg.LoginAudience, Leeway: loginLeeway, Log: p.Log, Metrics: p.Metrics})
		if err != nil {
			return fmt.Errorf("CACHE_LOGIN_KEY_FILE: %w", err)
		}
		p.Go("login keys", identifier.Tokens.Run)
	}
	s.Admission, s.Limits = &limits{limiter, identifier, shedder}, limiter.Update
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/fleet"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// upCommand builds and starts the fleet.
type upCommand struct {
	Groups    []string `arg:"" optional:"" name:"group" help:"What to start beside the serving path: ${groups}."`
	Detach    bool     `short:"d" help:"Return when the fleet is ready; it runs on in the background."`
	Host      string   `default:"127.0.0.1" help:"Address to listen on."`
	HTTPSPort int      `default:"8443" env:"FLOTILLA_HTTPS_PORT" help:"Port of the edge, TCP and UDP; 0: a free one." name:"https-port"`
	HTTPPort  int      `default:"8080" env:"FLOTILLA_HTTP_PORT" help:"Port that redirects to it; 0: a free one." name:"http-port"`
	Backends  string   `enum:"embedded,real" default:"embedded" env:"BACKENDS" help:"Backends: embedded, or real where installed."`
	sizes
	Set     map[string]string `help:"Parameter of a service, as in dictionary.LOG_LEVEL=DEBUG; may be repeated." placeholder:"SERVICE.NAME=VALUE" mapsep:"none"`
	Timeout time.Duration     `default:"60s" help:"How long a service may take to become ready."`
	JSON    bool              `help:"Print the ready fleet as JSON, and no logs."`
}

// settle is how long a rolling restart waits after a replica is ready: until
// its callers have seen it ready twice.
const settle = 1200 * time.Millisecond

func (c *upCommand) Run(ctx context.Context, s session) error {
	var err error
	if s.table, err = s.choose(c.Groups); err == nil {
		s.table, err = c.of(s.table)
	}
	if err != nil {
		return usageError{err}
	}
	sets, err := overrides(s.table, c.Set)
	if err != nil {
		return err
	}
	if c.Detach {
		return c.detach(ctx, s)
	}
	voice := &voice{out: s.out, terminal: isTerminal(s.out), style: style(s.out), quiet: c.JSON}
	defer voice.close()
	cfg := c.config(s)
	cfg.Set, cfg.Say, cfg.Built, cfg.Observe = sets, voice.say, voice.built, voice.observe
	cfg.OnReady = func(f state.Fleet) {
		voice.ready(func(out io.Writer) error { return show(out, fleet.WithMemory(f), c.JSON, true) })
	}

	ctx, hurry, stop := interrupts(ctx)
	defer stop()
	cfg.Hurry = hurry
	err = fleet.Run(ctx, cfg)
	if errors.Is(err, state.ErrRunning) {
		return alreadyUp(ctx, s, c.JSON)
	}
	return err
}

// interrupts ends the context at the first signal, and closes hurry at the
// second.
func interrupts(parent context.Context) (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	now := make(chan struct{})
	go func() {
		if _, got := <-signals; !got {
			return
		}
		cancel()
		if _, got := <-signals; got {
			close(now)
		}
	}()
	return ctx, now, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

func (c *upCommand) config(s session) fleet.Config {
	return fleet.Config{
		Table: s.table, Common: s.common, Root: s.root, Dir: s.dir, Host: c.Host,
		Public: []fleet.PublicPort{
			{Name: "https", Port: c.HTTPSPort, Datagrams: true, Flag: "https-port"},
			{Name: "http", Port: c.HTTPPort, Flag: "http-port"},
		},
		URLs: urls(s.table), CA: filepath.Join(s.dir, "pki", "ca.crt"),
		Real: c.Backends == "real", Environ: environ(os.Environ()), Prepare: s.prepare(s.dir),
		ReadyTimeout: c.Timeout, Settle: settle,
	}
}

// urls are the addresses that people use, of a table.
func urls(table []topology.Service) func(ports map[string]int) map[string]string {
	searched := slices.ContainsFunc(table, func(s topology.Service) bool { return s.Name == "search" })
	return func(ports map[string]int) map[string]string {
		all := map[string]string{
			"dictionary": fmt.Sprintf("https://dictionary.localhost:%d/dog", ports["https"]),
			"redirect":   fmt.Sprintf("http://dictionary.localhost:%d/dog", ports["http"]),
		}
		if searched {
			all["search"] = fmt.Sprintf("https://search.localhost:%d/", ports["https"])
		}
		return all
	}
}

// environ is what processes inherit: what the system and the Go runtime read,
// and OpenTelemetry's variables. Parameters come from the table.
func environ(all []string) []string {
	var kept []string
	for _, pair := range all {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "TZ", "LANG", "GODEBUG", "GOTRACEBACK", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GORACE", "GOCOVERDIR":
			kept = append(kept, pair)
		default:
			if strings.HasPrefix(name, "OTEL_") {
				kept = append(kept, pair)
			}
		}
	}
	return kept
}

// overrides reads --set.
func overrides(table []topology.Service, set map[string]string) (map[string]map[string]string, error) {
	known := map[string]bool{}
	for _, s := range table {
		known[s.Name] = true
	}
	result := map[string]map[string]string{}
	for key, value := range set {
		service, variable, found := strings.Cut(key, ".")
		if !found || variable == "" || !known[service] {
			return nil, fmt.Errorf("--set %s=%s: want SERVICE.NAME=VALUE with a service of the fleet", key, value)
		}
		if result[service] == nil {
			result[service] = map[string]string{}
		}
		result[service][variable] = value
	}
	return result, nil
}

// alreadyUp shows the fleet that runs.
func alreadyUp(ctx context.Context, s session, asJSON bool) error {
	f, err := s.client().Fleet(ctx)
	if err != nil {
		return fmt.Errorf("a runner holds %s but does not answer: %w", s.dir, err)
	}
	running := map[string]int{}
	for _, p := range f.Processes {
		running[p.Name]++
	}
	for _, row := range s.table {
		switch n := running[row.Name]; {
		case f.State != "ready":
		case n == 0:
			return fmt.Errorf("the fleet is up already, without %s: take it `down` first", row.Name)
		case (row.Single || row.Fixed) && n != row.Count:
			return fmt.Errorf("the fleet is up already, with %d × %s: take it `down` first", n, row.Name)
		}
	}
	if !asJSON {
		s.say("the fleet is up already")
	}
	return show(s.out, f, asJSON, true)
}

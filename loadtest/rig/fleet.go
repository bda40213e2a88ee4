package rig

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

// Fleet is the whole fleet under the local runner, in a state directory of the rig.
type Fleet struct {
	BuildTime time.Duration // of the runner's build of all programs
	ReadyTime time.Duration // after it

	rig *Rig
	dir string
	url *url.URL
	ca  *x509.CertPool
}

// Member is a process of the fleet.
type Member struct {
	Service  string `json:"name"`
	Instance string `json:"instance"`
	PID      int    `json:"pid"`
	Data     string `json:"data"`
	Admin    string `json:"admin"`
	State    string `json:"state"`
	Restarts int    `json:"restarts"`
}

// Status is what the runner tells.
type Status struct {
	State     string            `json:"state"`
	Runner    Member            `json:"runner"`
	BuildTime float64           `json:"build_seconds"`
	ReadyTime float64           `json:"ready_seconds"`
	URLs      map[string]string `json:"urls"`
	CA        string            `json:"ca"`
	Members   []Member          `json:"processes"`
}

// Up starts the serving path on free ports with parameters as SERVICE.NAME=VALUE.
func (g *Rig) Up(ctx context.Context, sets ...string) (*Fleet, error) {
	return g.UpWith(ctx, nil, sets...)
}

// UpWith starts groups of the fleet beside it.
func (g *Rig) UpWith(ctx context.Context, groups []string, sets ...string) (*Fleet, error) {
	if err := g.Build(ctx, "local"); err != nil {
		return nil, err
	}
	f := &Fleet{rig: g, dir: filepath.Join(g.Dir, "fleet")}
	args := []string{"up", "-d", "--json", "--https-port", "0", "--http-port", "0"}
	for _, set := range sets {
		args = append(args, "--set", set)
	}
	if err := f.Do(ctx, append(args, groups...)...); err != nil {
		_ = f.Do(context.WithoutCancel(ctx), "down", "--now") // what had started
		return nil, err
	}
	g.Defer(func() {
		if err := f.Do(context.WithoutCancel(ctx), "down", "--now"); err != nil {
			g.Log("down: %v", err)
		}
	})
	s, err := f.Status(ctx)
	if err != nil {
		return nil, err
	}
	f.BuildTime = time.Duration(s.BuildTime * float64(time.Second))
	f.ReadyTime = time.Duration(s.ReadyTime * float64(time.Second))
	if f.url, err = url.Parse(s.URLs["dictionary"]); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	f.ca, err = readPool(s.CA)
	return f, err
}

func readPool(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("fleet: %s has no certificate", name)
	}
	return pool, nil
}

// Down ends the fleet.
func (f *Fleet) Down(ctx context.Context) error { return f.Do(ctx, "down") }

// Do runs a command of the runner: "restart", "dictionary".
func (f *Fleet) Do(ctx context.Context, args ...string) error {
	_, err := f.ask(ctx, args...)
	return err
}

func (f *Fleet) ask(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, f.rig.Bin("local"), append([]string{"--root", f.rig.Root, "--dir", f.dir}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("local %v: %w: %s%s", args, err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

// Status asks the runner.
func (f *Fleet) Status(ctx context.Context) (Status, error) {
	out, err := f.ask(ctx, "status", "--json")
	if err != nil {
		return Status{}, err
	}
	var s Status
	if err := json.Unmarshal(out, &s); err != nil {
		return Status{}, fmt.Errorf("local status: %w", err)
	}
	return s, nil
}

// AwaitReady waits until every process is ready and the named one has been
// restarted at least so many times.
func (f *Fleet) AwaitReady(ctx context.Context, instance string, restarts int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		s, err := f.Status(ctx)
		if err != nil {
			return err
		}
		ready := s.State == "ready"
		for _, m := range s.Members {
			ready = ready && (m.Instance != instance || m.Restarts >= restarts && m.State == "ready")
		}
		if ready {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the fleet did not become ready again")
		}
	}
}

// Client opens a client at the edge.
func (f *Fleet) Client(protocol openloop.Protocol) (*openloop.Client, error) {
	return openloop.Target{
		URL: "https://" + f.url.Host, Address: net.JoinHostPort("127.0.0.1", f.url.Port()), Protocol: protocol, Roots: f.ca,
	}.Open()
}

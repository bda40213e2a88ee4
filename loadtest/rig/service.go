package rig

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// Service starts a program of the tree under an instance name, on free ports of
// its own, and waits until it is ready.
func (g *Rig) Service(ctx context.Context, program, instance string, env map[string]string, cpus ...int) (*Proc, error) {
	return g.service(ctx, Spec{Name: instance, Path: g.Bin(program), CPUs: cpus}, env)
}

// Wrapped is a Service whose program is started by another one: by makes the command.
func (g *Rig) Wrapped(ctx context.Context, by func(path string, args ...string) (string, []string), program, instance string, env map[string]string) (*Proc, error) {
	path, args := by(g.Bin(program))
	return g.service(ctx, Spec{Name: instance, Path: path, Args: args}, env)
}

func (g *Rig) service(ctx context.Context, s Spec, env map[string]string) (*Proc, error) {
	data, err := Addr()
	if err != nil {
		return nil, err
	}
	admin, err := Addr()
	if err != nil {
		return nil, err
	}
	s.Env = map[string]string{"LISTEN_ADDR": data, "ADMIN_ADDR": admin, "INSTANCE": s.Name, "DRAIN_DELAY": "100ms"}
	maps.Copy(s.Env, env)
	s.Probe = "http://" + s.Env["ADMIN_ADDR"] + "/readyz"
	p, err := g.Start(ctx, s)
	if err != nil {
		return nil, err
	}
	p.Data, p.Admin = s.Env["LISTEN_ADDR"], s.Env["ADMIN_ADDR"]
	return p, nil
}

// Upstream is the address of a process for a pool: data/adminport.
func (p *Proc) Upstream() string {
	_, port, _ := net.SplitHostPort(p.Admin)
	return p.Data + "/" + port
}

// Upstreams is the address of several.
func Upstreams(all ...*Proc) string {
	var list []string
	for _, p := range all {
		list = append(list, p.Upstream())
	}
	return strings.Join(list, ",")
}

// Endpoints writes an endpoint file, as the local runner does, and returns its
// address for a pool. Writing it again changes the members of the pools that
// watch it.
func (g *Rig) Endpoints(name string, members ...*Proc) (string, error) {
	var text strings.Builder
	for _, p := range members {
		fmt.Fprintln(&text, p.Spec.Name, p.Data, p.Admin)
	}
	path := filepath.Join(g.Dir, name+".endpoints")
	return "file:" + path, atomicfile.Write(path, []byte(text.String()), 0o644)
}

// DictionaryData is the URL of the committed data.
func (g *Rig) DictionaryData() (string, error) {
	data, err := g.wordnet()
	return "file:" + data, err
}

func (g *Rig) wordnet() (string, error) {
	found, err := filepath.Glob(filepath.Join(g.Root, "services/dictionary/data/wordnet-*.gz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("dictionary data: want one file, found %d", len(found))
	}
	return found[0], nil
}

// Dictionaries starts n replicas of the dictionary, which load the committed data.
func (g *Rig) Dictionaries(ctx context.Context, n int, env map[string]string) ([]*Proc, error) {
	data, err := g.DictionaryData()
	if err != nil {
		return nil, err
	}
	full := map[string]string{"DICTIONARY_DATA_URL": data}
	maps.Copy(full, env)
	var all []*Proc
	for i := range n {
		p, err := g.Service(ctx, "dictionary", fmt.Sprintf("dictionary-%d", i+1), full)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Render fills in a committed template of a peer's configuration and returns the
// path of the result.
func (g *Rig) Render(source, name string, values any) (string, error) {
	t, err := template.ParseFiles(filepath.Join(g.Root, "loadtest/peers", source))
	if err != nil {
		return "", fmt.Errorf("peer configuration: %w", err)
	}
	var out bytes.Buffer
	if err := t.Option("missingkey=error").Execute(&out, values); err != nil {
		return "", fmt.Errorf("peer configuration: %w", err)
	}
	path := filepath.Join(g.Dir, name)
	return path, os.WriteFile(path, out.Bytes(), 0o644)
}

// Policy is the policy file of the cache in front of the dictionary.
func (g *Rig) Policy() string { return filepath.Join(g.Root, "services/cache/policy/dictionary.yaml") }

// Content starts a content server with the dictionary's data and returns the URL of it.
func (g *Rig) Content(ctx context.Context) (string, error) {
	data, err := g.wordnet()
	if err != nil {
		return "", err
	}
	p, err := g.Service(ctx, "content", "content", map[string]string{"CONTENT_DIR": filepath.Dir(data)})
	if err != nil {
		return "", err
	}
	return "http://" + p.Data + "/" + filepath.Base(data), nil
}

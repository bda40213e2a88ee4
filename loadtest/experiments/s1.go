package experiments

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/internal/certs/authority"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func s1() proof.Pattern {
	return proof.Pattern{ID: "S1", Title: "Sidecar: HTTPS in front of a legacy service", Page: "s1-tlsproxy.md", Experiments: []proof.Experiment{
		{Name: "renewal", Question: "How many requests fail when the certificate is renewed twenty times under load?", Run: renewal},
		{Name: "loopback", Question: "From which addresses of the machine does the application itself answer, and the sidecar?", Run: loopback},
		{Name: "restart", Question: "How many requests fail when the application is restarted under load?", Run: appRestart},
		{Name: "latency", Question: "What does the sidecar add to a request?", Run: sidecarLatency},
	}}
}

// legacyName is the name in the sidecar's certificate.
const legacyName = "legacy.localhost"

// legacyPod is an application with a sidecar for TLS.
type legacyPod struct {
	rig       *rig.Rig
	authority *authority.Authority
	dir       string // with the certificate
	renewals  int
	app, tls  *rig.Proc
}

func newLegacyPod(ctx context.Context, g *rig.Rig, env map[string]string) (*legacyPod, error) {
	if err := g.Build(ctx, "legacy", "tlsproxy"); err != nil {
		return nil, err
	}
	a, err := authority.New(g.Dir)
	if err != nil {
		return nil, err
	}
	p := &legacyPod{rig: g, authority: a, dir: filepath.Join(g.Dir, "certificate")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return nil, err
	}
	if err := p.renew(); err != nil {
		return nil, err
	}
	if p.app, err = g.Service(ctx, "legacy", "legacy", map[string]string{"LEGACY_LOG_DIR": g.Dir}); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(p.app.Data)
	if err != nil {
		return nil, err
	}
	full := map[string]string{"PROXY_PORT": port, "CERTIFICATE_PATH": p.dir}
	maps.Copy(full, env)
	p.tls, err = g.Service(ctx, "tlsproxy", "tlsproxy", full)
	return p, err
}

// renew puts a new certificate in the place of the old one, as a renewal does: each
// file by a rename, the key before its certificate.
func (p *legacyPod) renew() error {
	p.renewals++
	pair, err := p.authority.Issue(fmt.Sprintf("renewal-%d", p.renewals), legacyName)
	if err != nil {
		return err
	}
	if err := os.Rename(pair.KeyFile, filepath.Join(p.dir, "tls.key")); err != nil {
		return err
	}
	return os.Rename(pair.CertFile, filepath.Join(p.dir, "tls.crt"))
}

// target is the sidecar as a client sees it.
func (p *legacyPod) target(protocol openloop.Protocol) openloop.Target {
	return openloop.Target{URL: "https://" + legacyName, Address: p.tls.Data, Protocol: protocol, Roots: p.authority.Pool}
}

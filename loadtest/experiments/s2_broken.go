package experiments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// brokenConfigurations pushes what no INI file is, then takes etcd away, and looks
// at the application all the time.
func brokenConfigurations(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	c, err := newConfigured(ctx, g, nil)
	if err != nil {
		return err
	}
	if _, err := c.push(ctx, []byte("greeting = good\n")); err != nil {
		return err
	}
	if err := c.shows(ctx, "good"); err != nil {
		return err
	}
	count := 50
	if r.Quick {
		count = 5
	}
	rejected, noticed := 0, 0
	for i := range count {
		version, err := c.push(ctx, fmt.Appendf(nil, "greeting %d\n", i))
		if err != nil {
			return err
		}
		if err := until(ctx, "the version is rejected", func() (bool, error) {
			_, file, err := c.status(ctx)
			return file.Rejected != nil && file.Rejected.Version == version, err
		}); err != nil {
			return err
		}
		rejected++
		page, err := c.page(ctx)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(page, "good\n") {
			noticed++
		}
	}
	r.Claim(proof.Exactly("broken versions rejected, each with its reason in the status", rejected, count, ""))
	r.Claim(proof.Exactly("of them seen by the application", noticed, 0, ""))
	return c.withoutEtcd(ctx, r)
}

// withoutEtcd kills etcd, starts the sidecar without it, and brings it back.
func (c *configured) withoutEtcd(ctx context.Context, r *proof.Report) error {
	if _, err := c.push(ctx, []byte("greeting = last\n")); err != nil {
		return err
	}
	if err := c.shows(ctx, "last"); err != nil {
		return err
	}
	_, before, err := c.status(ctx)
	if err != nil {
		return err
	}
	c.etcd.Kill()
	if err := until(ctx, "the loss is told", func() (bool, error) {
		connected, _, err := c.status(ctx)
		return !connected, err
	}); err != nil {
		return err
	}
	c.sync.Kill()
	c.sync.Spec.Env["CONFIGSYNC_READY"] = "file"
	begin := time.Now()
	if err := c.sync.Restart(ctx); err != nil {
		return err
	}
	r.Measured("sidecar ready with the file of before, etcd away", milliseconds(time.Since(begin)), "ms")
	_, after, err := c.status(ctx)
	if err != nil {
		return err
	}
	page, err := c.page(ctx)
	if err != nil {
		return err
	}
	r.Claim(proof.That("etcd killed, then the sidecar killed and started", "the file and its version stay", fmt.Sprintf("version %d before, %d after, %q", before.Version, after.Version, strings.TrimSpace(page)),
		before.Version == after.Version && strings.HasPrefix(page, "last\n")))
	if err := c.etcd.Restart(ctx); err != nil {
		return err
	}
	begin = time.Now()
	if _, err := c.push(ctx, []byte("greeting = back\n")); err != nil {
		return err
	}
	if err := c.shows(ctx, "back"); err != nil {
		return err
	}
	r.Measured("etcd ready again to the next push visible", milliseconds(time.Since(begin)), "ms")
	return nil
}

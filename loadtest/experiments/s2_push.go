package experiments

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// pushes measures from before a PUT is sent to when the application's answer has it.
func pushes(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	c, err := newConfigured(ctx, g, nil)
	if err != nil {
		return err
	}
	count := 500
	if r.Quick {
		count = 50
	}
	var visible, accepted hist.Histogram
	for i := range count {
		greeting := fmt.Sprintf("push %d", i)
		begin := time.Now()
		if _, err := c.push(ctx, []byte("greeting = "+greeting+"\n")); err != nil {
			return err
		}
		accepted.Record(time.Since(begin))
		if err := c.shows(ctx, greeting); err != nil {
			return err
		}
		visible.Record(time.Since(begin))
		// Pushes must not fall into a rhythm with anything here.
		if err := retry.Sleep(ctx, rand.N(20*time.Millisecond)); err != nil {
			return err
		}
	}
	r.Claim(proof.AtMost(fmt.Sprintf("push to visible in the application, p99 of %d", count), milliseconds(visible.Quantile(0.99)), 1000, "ms"))
	r.Measured("push to visible, median", milliseconds(visible.Quantile(0.5)), "ms")
	r.Measured("push to visible, longest", milliseconds(visible.Max()), "ms")
	r.Measured("of it until the push is accepted, median", milliseconds(accepted.Quantile(0.5)), "ms")
	return nil
}

// rollbacks goes back to versions of random bytes, and compares the file.
func rollbacks(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	c, err := newConfigured(ctx, g, map[string]string{"CONFIGSYNC_SYNTAX": "none", "CONFIGSYNC_SIGNAL": "none"})
	if err != nil {
		return err
	}
	count := 50
	if r.Quick {
		count = 5
	}
	random := rand.NewChaCha8([32]byte{})
	var contents [][]byte
	for i := range count {
		content := make([]byte, i*i*100) // up to 240 KiB, the first one empty
		_, _ = random.Read(content)      // never fails, by its documentation
		if version, err := c.push(ctx, content); err != nil || version != i+1 {
			return fmt.Errorf("push %d is version %d: %w", i+1, version, err)
		}
		contents = append(contents, content)
	}
	same := 0
	for _, i := range rand.New(random).Perm(count) {
		version, err := c.rollback(ctx, i+1)
		if err != nil {
			return err
		}
		if err := until(ctx, "the rollback is applied", func() (bool, error) {
			_, file, err := c.status(ctx)
			return file.Version == version, err
		}); err != nil {
			return err
		}
		got, err := os.ReadFile(c.file)
		if err != nil {
			return err
		}
		if bytes.Equal(got, contents[i]) {
			same++
		}
	}
	r.Claim(proof.Exactly("rollbacks after which the file is the old one byte for byte", same, count, ""))
	return nil
}

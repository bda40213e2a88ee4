package experiments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// checked is a configuration that tells whether it is whole: its greeting is the
// digest of its motd, whose length changes with every version.
func checked(i int) []byte {
	motd := strings.Repeat(fmt.Sprintf("%d ", i), 1+i*97%4000) + "end"
	sum := sha256.Sum256([]byte(motd))
	return []byte("greeting = " + hex.EncodeToString(sum[:]) + "\nmotd = " + motd + "\n")
}

// whole tells whether a greeting fits a motd.
func whole(greeting, motd string) bool {
	sum := sha256.Sum256([]byte(motd))
	return hex.EncodeToString(sum[:]) == greeting
}

// wholeFile tells whether a file is one that checked has made.
func wholeFile(text string) bool {
	greeting, rest, found := strings.Cut(strings.TrimPrefix(text, "greeting = "), "\nmotd = ")
	return found && strings.HasSuffix(rest, "\n") && whole(greeting, strings.TrimSuffix(rest, "\n"))
}

// wholePage tells the same of the application's answer.
func wholePage(text string) bool {
	greeting, motd, found := strings.Cut(text, "\n")
	return found && whole(greeting, strings.TrimSuffix(motd, "\n"))
}

// torn reads the file and the application's page again and again while versions are
// pushed as fast as they are taken.
func torn(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	c, err := newConfigured(ctx, g, nil)
	if err != nil {
		return err
	}
	if _, err := c.push(ctx, checked(0)); err != nil {
		return err
	}
	if err := until(ctx, "there is a file", func() (bool, error) {
		page, err := c.page(ctx)
		return wholePage(page), err
	}); err != nil {
		return err
	}
	reads := 10_000
	if r.Quick {
		reads = 1_000
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var pushed atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- c.pushAll(writing, &pushed) }()
	tornFiles, tornPages, versions, err := c.readAll(ctx, reads)
	stop()
	if pushErr := <-ended; err == nil {
		err = pushErr
	}
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("torn reads of the file", tornFiles, 0, fmt.Sprintf("of %d", reads)))
	r.Claim(proof.Exactly("torn answers of the application", tornPages, 0, fmt.Sprintf("of %d", reads)))
	r.Measured("versions pushed meanwhile", float64(pushed.Load()), "")
	r.Claim(proof.AtLeast("changes of the file between two reads", float64(versions), float64(reads)/100, ""))
	return nil
}

// pushAll pushes versions until ctx ends.
func (c *configured) pushAll(ctx context.Context, pushed *atomic.Int64) error {
	for i := 1; ; i++ {
		_, err := c.push(ctx, checked(i))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		pushed.Add(1)
	}
}

// readAll reads the file and the page, and counts what is not whole and how often
// the file had changed.
func (c *configured) readAll(ctx context.Context, reads int) (files, pages, versions int, err error) {
	before := ""
	for range reads {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return files, pages, versions, err
		}
		if !wholeFile(string(text)) {
			files++
		}
		if string(text) != before {
			before = string(text)
			versions++
		}
		page, err := c.page(ctx)
		if err != nil {
			return files, pages, versions, err
		}
		if !wholePage(page) {
			pages++
		}
		if err := retry.Sleep(ctx, 200*time.Microsecond); err != nil {
			return files, pages, versions, err
		}
	}
	return files, pages, versions, nil
}

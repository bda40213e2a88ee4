package experiments

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	mixedPushes = 50
	mixedReads  = 1000
)

// tally is what readers saw.
type tally struct {
	mu        sync.Mutex // guards all below
	reads     int
	mixed     int
	failed    int
	revisions map[string]string // revision → the version that its page has
}

// saw counts a page: all of its parts must have one version, and a revision must
// have one version for ever.
func (t *tally) saw(versions []string, revision string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads++
	if err != nil {
		t.failed++
		return
	}
	known, seen := t.revisions[revision]
	bad := len(versions) != len(parts) || seen && known != versions[0]
	for _, v := range versions {
		bad = bad || v != versions[0]
	}
	if bad {
		t.mixed++
		return
	}
	t.revisions[revision] = versions[0]
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reads
}

// mixed pushes as fast as git can while readers ask for a page of three files. Beside
// them a careless reader goes through the link anew for each file.
func mixed(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	s, err := releasing(ctx, g, "mixed", true, "1s")
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	if err := s.commit(ctx, -1); err != nil {
		return err
	}
	if err := s.git(ctx, s.clone, "push", "-q"); err != nil {
		return err
	}
	if err := s.await(ctx, client, -1); err != nil {
		return err
	}
	seen := &tally{revisions: map[string]string{}}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for retry.Sleep(reading, time.Millisecond) == nil {
				versions, revision, err := s.page(ctx, client)
				seen.saw(versions, revision, err)
			}
		})
	}
	careless := 0
	readers.Go(func() { careless = s.carelessly(reading) })
	err = s.pushAll(ctx, client, mixedPushes)
	during := seen.count()
	stop()
	readers.Wait()
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast(fmt.Sprintf("reads during %d pushes", mixedPushes), float64(during), mixedReads, "reads"))
	r.Claim(proof.Exactly("pages of two revisions, or of part of one", seen.mixed, 0, fmt.Sprintf("of %d", seen.reads)))
	r.Claim(proof.Exactly("reads that failed", seen.failed, 0, fmt.Sprintf("of %d", seen.reads)))
	r.Claim(proof.AtLeast("revisions that readers saw", float64(len(seen.revisions)), mixedPushes/4, "revisions"))
	r.Measured("control: mixed reads of one who goes through the link anew for each file", float64(careless), "reads")
	return nil
}

func (r *released) pushAll(ctx context.Context, client *http.Client, n int) error {
	for version := range n {
		if err := r.commit(ctx, version); err != nil {
			return err
		}
		if err := r.git(ctx, r.clone, "push", "-q"); err != nil {
			return err
		}
	}
	return r.await(ctx, client, n-1)
}

// carelessly reads the parts through the link, each anew, and counts the mixes.
func (r *released) carelessly(ctx context.Context) (mixes int) {
	for retry.Sleep(ctx, time.Millisecond) == nil {
		seen := map[string]bool{}
		for _, name := range parts {
			text, err := os.ReadFile(filepath.Join(r.root, "current", name))
			if versions := versionsIn(string(text)); err == nil && len(versions) > 0 {
				seen[versions[0]] = true
			}
		}
		if len(seen) > 1 {
			mixes++
		}
	}
	return mixes
}

package certs

import (
	"context"
	"log/slog"
	"sync"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Watch reloads pairs whose files change, until ctx is done.
//
// Certificate and key are two files, so a renewal in place passes a moment when
// they do not fit together. That reload fails and is logged; the change of the
// second file brings the next one.
func (s *Store) Watch(ctx context.Context, log *slog.Logger) {
	var watchers sync.WaitGroup
	for i, pair := range s.pairs {
		s.mu.Lock()
		seen := s.loaded[i]
		s.mu.Unlock()
		files := map[string][]byte{pair.CertFile: seen.certPEM, pair.KeyFile: seen.keyPEM}
		watchers.Go(func() {
			eachChange(ctx, files, func() {
				if err := s.reload(i); err != nil {
					log.Warn("certificate not reloaded, the old one stays", "file", pair.CertFile, "error", err)
					return
				}
				log.Info("certificate reloaded", "file", pair.CertFile, "expires", s.Status().Expiry)
			})
		})
	}
	watchers.Wait()
}

// eachChange calls changed, from one goroutine, after any of the files changed
// from the content given for it. Changes of several files at about the same
// time may bring one call.
func eachChange(ctx context.Context, files map[string][]byte, changed func()) {
	wake := make(chan struct{}, 1)
	var watchers sync.WaitGroup
	for file, seen := range files {
		watchers.Go(func() {
			watch.File(ctx, file, seen, func([]byte) {
				select {
				case wake <- struct{}{}:
				default: // one wake-up is already under way and will read this change too
				}
			})
		})
	}
	for {
		select {
		case <-ctx.Done():
			watchers.Wait()
			return
		case <-wake:
			changed()
		}
	}
}

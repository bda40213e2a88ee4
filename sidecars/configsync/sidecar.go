package configsync

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/notify"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/folder"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
)

// sidecar passes snapshots of etcd on to the folder and changes of the folder on
// to the application.
type sidecar struct {
	log      *slog.Logger
	metrics  *metrics
	folder   *folder.Folder
	notifier *notify.Notifier

	mu   sync.Mutex // guards etcd
	etcd Etcd
}

// Etcd is how it stands with etcd.
type Etcd struct {
	Connected bool      `json:"connected"`
	Synced    bool      `json:"synced"` // the files were equal to etcd at least once since the start
	Revision  int64     `json:"revision,omitempty"`
	Since     time.Time `json:"since,omitzero"` // connected, or not, since
	Error     string    `json:"error,omitempty"`
}

// Status is what GET /v1/status answers.
type Status struct {
	Etcd   Etcd          `json:"etcd"`
	Files  []folder.File `json:"files"`
	Notify notify.Status `json:"notify"`
}

// Status returns the state of everything.
func (s *sidecar) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Etcd: s.etcd, Files: s.folder.Status(), Notify: s.notifier.Status()}
}

// seen applies a snapshot.
func (s *sidecar) seen(ctx context.Context, snapshot follow.Snapshot) {
	s.mu.Lock()
	if !s.etcd.Connected {
		s.etcd.Connected, s.etcd.Since, s.etcd.Error = true, time.Now().UTC().Truncate(time.Millisecond), ""
		s.log.Info("etcd reached", "revision", snapshot.Revision)
	}
	s.mu.Unlock()
	if s.folder.Apply(ctx, snapshot) {
		s.notifier.Changed()
	}
	s.mu.Lock()
	s.etcd.Synced, s.etcd.Revision = true, snapshot.Revision
	s.mu.Unlock()
}

// lost notes that etcd cannot be used. The files stay as they are.
func (s *sidecar) lost(err error) {
	reason := etcdclient.Explain(err)
	if errors.Is(err, follow.ErrTooMany) {
		reason = err.Error()
	}
	s.mu.Lock()
	known := !s.etcd.Connected && s.etcd.Error == reason
	if s.etcd.Connected || s.etcd.Since.IsZero() {
		s.etcd.Since = time.Now().UTC().Truncate(time.Millisecond)
	}
	s.etcd.Connected, s.etcd.Error = false, reason
	s.mu.Unlock()
	if !known {
		s.log.Warn("etcd cannot be followed, the files stay as they are", "reason", reason, "error", err)
	}
}

// routes are held together with openapi.yaml by a test.
func (s *sidecar) routes(e *echo.Echo) {
	e.GET("/v1/status", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.JSON(http.StatusOK, s.Status())
	})
}

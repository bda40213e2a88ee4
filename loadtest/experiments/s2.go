package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func s2() proof.Pattern {
	return proof.Pattern{ID: "S2", Title: "Sidecar: dynamic configuration", Page: "s2-configsync.md", Experiments: []proof.Experiment{
		{Name: "push", Question: "How long from a pushed configuration to the application's answer?", Run: pushes},
		{Name: "rollback", Question: "Does a rollback restore every byte?", Run: rollbacks},
		{Name: "torn", Question: "Does anybody read half a file while it is being written?", Run: torn},
		{Name: "broken", Question: "What does the application notice of broken configurations and of an etcd that is away?", Run: brokenConfigurations},
	}}
}

// configured is an application whose configuration comes from etcd.
type configured struct {
	etcd, api, sync, app *rig.Proc
	file                 string
	http                 *http.Client
}

// newConfigured starts all four; env is for the sidecar.
func newConfigured(ctx context.Context, g *rig.Rig, env map[string]string) (*configured, error) {
	if err := g.Build(ctx, "etcd", "configapi", "configsync", "legacy"); err != nil {
		return nil, err
	}
	c := &configured{file: filepath.Join(g.Dir, "etc", "legacy.ini"), http: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}}
	g.Defer(c.http.CloseIdleConnections)
	pid := filepath.Join(g.Dir, "legacy.pid")
	var err error
	if c.etcd, err = g.Service(ctx, "etcd", "etcd", map[string]string{"ETCD_DATA_DIR": filepath.Join(g.Dir, "etcd-data")}); err != nil {
		return nil, err
	}
	if c.api, err = g.Service(ctx, "configapi", "configapi", map[string]string{"CONFIGAPI_ETCD_ENDPOINTS": c.etcd.Data, "CONFIGAPI_HISTORY": "1000"}); err != nil {
		return nil, err
	}
	full := map[string]string{
		"CONFIGSYNC_ETCD_ENDPOINTS": c.etcd.Data, "CONFIGSYNC_KEY": "/configs/legacy.ini", "CONFIGSYNC_FILE": c.file, "CONFIGSYNC_READY": "synced",
		"CONFIGSYNC_SIGNAL": "SIGHUP", "CONFIGSYNC_PID_FILE": pid, "CONFIGSYNC_PROCESS": "legacy",
	}
	maps.Copy(full, env)
	if c.sync, err = g.Service(ctx, "configsync", "configsync", full); err != nil {
		return nil, err
	}
	c.app, err = g.Service(ctx, "legacy", "legacy", map[string]string{"LEGACY_CONFIG_FILE": c.file, "LEGACY_PID_FILE": pid, "LEGACY_LOG_DIR": g.Dir})
	return c, err
}

// do sends a request and returns the answer's body; another status is an error.
func (c *configured) do(ctx context.Context, method, url string, body []byte, want int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != want/100 {
		return text, fmt.Errorf("%s %s: %s %s", method, url, resp.Status, text)
	}
	return text, nil
}

func (c *configured) url() string { return "http://" + c.api.Data + "/v1/configs/legacy.ini" }

// push makes a new version and returns its number.
func (c *configured) push(ctx context.Context, content []byte) (int, error) {
	return c.version(c.do(ctx, http.MethodPut, c.url(), content, 200))
}

// rollback makes an old version the newest.
func (c *configured) rollback(ctx context.Context, version int) (int, error) {
	return c.version(c.do(ctx, http.MethodPost, c.url()+"/rollback", fmt.Appendf(nil, `{"version":%d}`, version), 200))
}

func (c *configured) version(text []byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	var v struct{ Version int }
	return v.Version, json.Unmarshal(text, &v)
}

// page is what the application answers.
func (c *configured) page(ctx context.Context) (string, error) {
	text, err := c.do(ctx, http.MethodGet, "http://"+c.app.Data+"/", nil, 200)
	return string(text), err
}

// file of the sidecar's status.
type syncedFile struct {
	Version  int
	Rejected *struct{ Version int }
}

func (c *configured) status(ctx context.Context) (connected bool, file syncedFile, err error) {
	text, err := c.do(ctx, http.MethodGet, "http://"+c.sync.Data+"/v1/status", nil, 200)
	if err != nil {
		return false, syncedFile{}, err
	}
	var s struct {
		Etcd  struct{ Connected bool }
		Files []syncedFile
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return false, syncedFile{}, err
	}
	if len(s.Files) > 0 {
		file = s.Files[0]
	}
	return s.Etcd.Connected, file, nil
}

// until asks every millisecond until it is so.
func until(ctx context.Context, what string, so func() (bool, error)) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		yes, err := so()
		if err != nil || yes {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it never came to be that %s", what)
		}
		if err := retry.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// shows waits until the application answers with a greeting.
func (c *configured) shows(ctx context.Context, greeting string) error {
	return until(ctx, "the application shows "+greeting, func() (bool, error) {
		page, err := c.page(ctx)
		return strings.HasPrefix(page, greeting+"\n"), err
	})
}

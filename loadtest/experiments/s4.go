package experiments

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func s4() proof.Pattern {
	return proof.Pattern{ID: "S4", Title: "A simple PaaS from git", Page: "s4-gitsync.md", Experiments: []proof.Experiment{
		{Name: "release", Question: "From the beginning of a git push, how long until the new page is served?", Run: release},
		{Name: "mixed", Question: "While revisions come one after the other, does any reader see two of them in one page?", Run: mixed},
	}}
}

// released is a site whose pages come out of git, and a clone to push from.
type released struct {
	server, sync, site *rig.Proc
	root, clone, push  string // directory of gitsync, of the clone, and the URL with the token
}

// releasing starts gitserver, gitsync and site. Without a hook gitsync asks by itself.
func releasing(ctx context.Context, g *rig.Rig, label string, hook bool, period string) (*released, error) {
	if err := rig.Need("git"); err != nil {
		return nil, err
	}
	if err := g.Build(ctx, "gitserver", "gitsync", "site"); err != nil {
		return nil, err
	}
	secret := filepath.Join(g.Dir, "secret-"+label)
	if err := os.WriteFile(secret, []byte(rand.Text()), 0o600); err != nil {
		return nil, err
	}
	addr, err := rig.Addr() // of gitsync, which gitserver has to know first
	if err != nil {
		return nil, err
	}
	r := &released{root: filepath.Join(g.Dir, "root-"+label), clone: filepath.Join(g.Dir, "clone-"+label)}
	env := map[string]string{"GITSERVER_DIR": filepath.Join(g.Dir, "repository-"+label), "GITSERVER_TOKEN_FILE": secret}
	if hook {
		env["GITSERVER_HOOK_URL"], env["GITSERVER_HOOK_SECRET_FILE"] = "http://"+addr+"/v1/sync", secret
	}
	if r.server, err = g.Service(ctx, "gitserver", "gitserver-"+label, env); err != nil {
		return nil, err
	}
	r.sync, err = g.Service(ctx, "gitsync", "gitsync-"+label, map[string]string{
		"LISTEN_ADDR": addr, "GITSYNC_REPOSITORY": "http://" + r.server.Data + "/site.git", "GITSYNC_ROOT": r.root,
		"GITSYNC_PERIOD": period, "GITSYNC_WEBHOOK_SECRET_FILE": secret, "GITSYNC_SYNC_RATE": "50",
	})
	if err != nil {
		return nil, err
	}
	if r.site, err = g.Service(ctx, "site", "site-"+label, map[string]string{"SITE_DIR": filepath.Join(r.root, "current"), "LOG_LEVEL": "WARN"}); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(secret)
	if err != nil {
		return nil, err
	}
	r.push = "http://any:" + string(token) + "@" + r.server.Data + "/site.git"
	return r, r.git(ctx, g.Dir, "clone", "-q", r.push, r.clone)
}

func (r *released) git(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// parts are the files of the page: it includes the last two.
var parts = []string{"index.html", "header.html", "footer.html"}

// commit writes a version into every part of the page, and commits.
func (r *released) commit(ctx context.Context, version int) error {
	for _, name := range parts {
		text := fmt.Sprintf("<p>version-%d</p>\n", version)
		if name == parts[0] {
			text += "<!--#include \"header.html\" -->\n<!--#include \"footer.html\" -->\n"
		}
		if err := os.WriteFile(filepath.Join(r.clone, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return r.git(ctx, r.clone, "commit", "-qam", fmt.Sprintf("version %d", version))
}

// page asks for the page and returns the versions in it, and its revision.
func (r *released) page(ctx context.Context, client *http.Client) (versions []string, revision string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.site.Data+"/", nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text := make([]byte, 64<<10)
	n := 0
	for n < len(text) {
		m, err := resp.Body.Read(text[n:])
		n += m
		if err != nil {
			break
		}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return versionsIn(string(text[:n])), resp.Header.Get("X-Revision"), nil
}

// versionsIn finds the version that each part of a page has.
func versionsIn(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "<p>version-"); ok {
			found = append(found, strings.TrimSuffix(v, "</p>"))
		}
	}
	return found
}

// await asks until the page has the version.
func (r *released) await(ctx context.Context, client *http.Client, version int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for want := fmt.Sprint(version); ; {
		versions, _, err := r.page(ctx, client)
		if err != nil {
			return fmt.Errorf("version %d is not served: %w", version, err)
		}
		if len(versions) > 0 && versions[0] == want {
			return nil
		}
		if err := retry.Sleep(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("version %d is not served: %w", version, err)
		}
	}
}

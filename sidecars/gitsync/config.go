package gitsync

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/notify"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// Program describes gitsync to operators and to the wiring test.
var Program = process.Program{
	Name:  "gitsync",
	About: "keeps a directory equal to a git repository, by an atomic swap of a link",
	Calls: []string{"the server of GITSYNC_REPOSITORY: git over HTTP", "GITSYNC_HOOK_URL: HTTP"},
}

// Config is the configuration of gitsync.
type Config struct {
	process.Contract
	Repository   string         `env:"GITSYNC_REPOSITORY,notEmpty" doc:"https://… or http://… of a git server, or the absolute path of a repository"`
	Ref          string         `env:"GITSYNC_REF,notEmpty" envDefault:"HEAD" doc:"branch, tag, full commit hash or full name of a reference; HEAD: the server's default branch"`
	Depth        int            `env:"GITSYNC_DEPTH" envDefault:"1" doc:"commits of history that are fetched; 0: all of it"`
	Paths        []string       `env:"GITSYNC_PATHS" doc:"comma-separated files and folders of the tree that are checked out; all when empty"`
	Period       time.Duration  `env:"GITSYNC_PERIOD" envDefault:"30s" doc:"how often the repository is asked, within ten percent of jitter; 0s: only when POST /v1/sync says so"`
	Timeout      time.Duration  `env:"GITSYNC_TIMEOUT" envDefault:"2m" doc:"longest time of one attempt"`
	RetryMax     time.Duration  `env:"GITSYNC_RETRY_MAX" envDefault:"15s" doc:"bound of the random delay after a failure; it begins at one second and doubles"`
	Username     string         `env:"GITSYNC_USERNAME" envDefault:"git" doc:"user name that goes with GITSYNC_PASSWORD_FILE"`
	PasswordFile string         `env:"GITSYNC_PASSWORD_FILE" doc:"file with the password or token, read at each attempt; without it nobody logs in"`
	CAFile       string         `env:"GITSYNC_CA_FILE" doc:"certificate authorities (PEM) of an https repository; the system's when empty"`
	Root         string         `env:"GITSYNC_ROOT,notEmpty" envDefault:"/git" doc:"directory that the link, the revisions and the fetched objects are in; one gitsync alone may use it"`
	Link         string         `env:"GITSYNC_LINK,notEmpty" envDefault:"current" doc:"name of the link to the current revision"`
	Keep         time.Duration  `env:"GITSYNC_KEEP" envDefault:"1m" doc:"how long a replaced revision stays for those who still read it"`
	KeepMost     int            `env:"GITSYNC_KEEP_MOST" envDefault:"20" doc:"most replaced revisions that are kept, whatever their age"`
	MaxBytes     config.Size    `env:"GITSYNC_MAX_BYTES" envDefault:"256MiB" doc:"most bytes of the files of a revision"`
	MaxFiles     int            `env:"GITSYNC_MAX_FILES" envDefault:"20000" doc:"most files and folders of a revision"`
	MaxFetch     config.Size    `env:"GITSYNC_MAX_FETCH" envDefault:"512MiB" doc:"most bytes that the git server may send in one attempt"`
	SecretFile   string         `env:"GITSYNC_WEBHOOK_SECRET_FILE" doc:"file with the secret of POST /v1/sync, at least 16 characters; without it only loopback is answered"`
	SyncRate     float64        `env:"GITSYNC_SYNC_RATE" envDefault:"5" doc:"calls of POST /v1/sync that are taken per second, after a burst of as many as two seconds bring"`
	Signal       notify.Signal  `env:"GITSYNC_SIGNAL" envDefault:"none" doc:"signal to the application after a swap: none, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM or SIGKILL"`
	PIDFile      string         `env:"GITSYNC_PID_FILE" doc:"file with the process number of the application, in a shared PID namespace"`
	Process      string         `env:"GITSYNC_PROCESS" doc:"name of the application's process; with a pid file, the process must have it"`
	HookURL      string         `env:"GITSYNC_HOOK_URL" doc:"http or https URL that is posted the new revision after a swap, until it answers 2xx"`
	Once         process.Switch `env:"GITSYNC_ONCE" envDefault:"off" doc:"on: exit with 0 after the first revision is there, for an init container"`
	OnceTimeout  time.Duration  `env:"GITSYNC_ONCE_TIMEOUT" envDefault:"2m" doc:"how long GITSYNC_ONCE tries before it exits with 1"`
}

// validate finds what a type cannot express, all of it.
func (c Config) validate() error {
	var wrong config.Error
	if message := wrongRepository(c.Repository); message != "" {
		wrong.Add("GITSYNC_REPOSITORY", "%s", message)
	}
	if strings.ContainsAny(c.Ref, " \t\n~^:?*[\\") || strings.HasPrefix(c.Ref, "-") || strings.Contains(c.Ref, "..") {
		wrong.Add("GITSYNC_REF", "%q is not valid: want a branch, a tag, a full commit hash or a name such as refs/heads/main", c.Ref)
	}
	for _, path := range c.Paths {
		if err := tree.CheckPath(path); err != nil {
			wrong.Add("GITSYNC_PATHS", "%q is not valid: %v; want paths such as docs/pages", path, err)
		}
	}
	if c.Link != filepath.Base(c.Link) || strings.HasPrefix(c.Link, ".") {
		wrong.Add("GITSYNC_LINK", "%q is not valid: want a plain name that does not begin with a dot", c.Link)
	}
	for variable, value := range map[string]int64{
		"GITSYNC_MAX_BYTES": int64(c.MaxBytes), "GITSYNC_MAX_FILES": int64(c.MaxFiles), "GITSYNC_MAX_FETCH": int64(c.MaxFetch),
		"GITSYNC_TIMEOUT": int64(c.Timeout), "GITSYNC_ONCE_TIMEOUT": int64(c.OnceTimeout), "GITSYNC_RETRY_MAX": int64(c.RetryMax), "GITSYNC_KEEP_MOST": int64(c.KeepMost),
	} {
		if value < 1 {
			wrong.Add(variable, "want more than 0")
		}
	}
	if c.Depth < 0 {
		wrong.Add("GITSYNC_DEPTH", "%d is not valid: want a number of commits, or 0 for all", c.Depth)
	}
	if !(c.SyncRate > 0 && c.SyncRate <= 1000) {
		wrong.Add("GITSYNC_SYNC_RATE", "%g is not valid: want more than 0, to 1000", c.SyncRate)
	}
	c.validateNotice(&wrong)
	return wrong.Err()
}

// validateNotice checks how the application is told.
func (c Config) validateNotice(wrong *config.Error) {
	named := c.PIDFile != "" || c.Process != ""
	if c.Signal != "none" && !named {
		wrong.Add("GITSYNC_SIGNAL", "%s to whom? set GITSYNC_PID_FILE or GITSYNC_PROCESS", c.Signal)
	}
	if c.Signal == "none" && named {
		wrong.Add("GITSYNC_SIGNAL", "is none, but GITSYNC_PID_FILE or GITSYNC_PROCESS names a process: set a signal such as SIGHUP")
	}
	if c.HookURL == "" {
		return
	}
	if u, err := url.Parse(c.HookURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		wrong.Add("GITSYNC_HOOK_URL", "is not valid: want http://host:port/path without a user")
	}
	if c.Signal != "none" {
		wrong.Add("GITSYNC_HOOK_URL", "and GITSYNC_SIGNAL are both set: choose one")
	}
}

// wrongRepository says what is wrong with a repository's address, without
// repeating it: it may hold a password.
func wrongRepository(text string) string {
	const want = "want https://host/path, http://host/path or the absolute path of a repository"
	if filepath.IsAbs(text) {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is no URL: " + want
	case u.User != nil:
		return "has a user or password in it: put them into GITSYNC_USERNAME and GITSYNC_PASSWORD_FILE"
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		return ""
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return want
	}
	return ""
}

// local returns the path of a repository on this machine.
func (c Config) local() (path string, ok bool) {
	path = strings.TrimPrefix(c.Repository, "file://")
	return path, filepath.IsAbs(path)
}

package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes site to operators and to the wiring test.
var Program = process.Program{
	Name:  "site",
	About: "serves the pages below a link that is swapped, each from one revision",
}

// Config is the configuration of site.
type Config struct {
	process.Contract
	Dir string `env:"SITE_DIR,notEmpty" envDefault:"/git/current" doc:"link to the folder whose files are served, opened once for each request"`
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	p.Health.Ready("pages", func(context.Context) error {
		r, err := open(cfg.Dir)
		if err != nil {
			return errors.New("the folder of SITE_DIR is not there yet")
		}
		return r.Close()
	})
	e := api.New(p)
	e.Match([]string{http.MethodGet, http.MethodHead}, "/*", func(c echo.Context) error { return serve(c, cfg.Dir) })
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// revision is an opened directory: what it leads to stays the same.
type revision struct {
	*os.Root
	name string
}

// open follows the link once. A revision that is removed between the look at the
// link and the opening of the folder is one that was swapped just now.
func open(link string) (revision, error) {
	const tries = 3
	var err error
	for range tries {
		var dir string
		if dir, err = filepath.EvalSymlinks(link); err != nil {
			continue
		}
		var root *os.Root
		if root, err = os.OpenRoot(dir); err == nil {
			name, _, _ := strings.Cut(filepath.Base(dir), "-") // the rest says what was selected
			return revision{root, name}, nil
		}
	}
	return revision{}, err
}

var (
	errNone = problem.New(http.StatusNotFound, "no-such-page", "this revision of the site has no such page")
	errWait = problem.New(http.StatusServiceUnavailable, "site-not-there", "the first revision of the site has not come yet").Retry(2 * time.Second)
)

func serve(c echo.Context, link string) error {
	r, err := open(link)
	if err != nil {
		return errWait
	}
	defer r.Close()
	h := c.Response().Header()
	h.Set("X-Revision", r.name)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	name, err := local(c.Request().URL.Path)
	if err != nil {
		return errNone
	}
	file, info, err := r.find(name)
	switch {
	case err == nil:
	case absent(err):
		return errNone
	default:
		return fmt.Errorf("open %q: %w", name, err)
	}
	defer file.Close()
	h.Set("ETag", `"`+r.name+`"`) // the files of a revision never change
	return answer(c, r, file, info)
}

var errNoFile = errors.New("no regular file")

// absent tells a file that is not there, or not for us, from one that should be read
// and cannot: what the system says, and not the root that no link can leave.
func absent(err error) bool {
	var system syscall.Errno
	return !errors.As(err, &system) || slices.Contains([]syscall.Errno{syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL}, system)
}

// find opens a file, or the index of a folder.
func (r revision) find(name string) (*os.File, os.FileInfo, error) {
	info, err := r.Stat(name)
	if err == nil && info.IsDir() {
		name = filepath.Join(name, "index.html")
		info, err = r.Stat(name)
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errNoFile
	}
	file, err := r.Open(name)
	return file, info, err
}

// local is the name of a file below the folder. Names that begin with a dot are not
// served.
func local(path string) (string, error) {
	name := strings.Trim(path, "/")
	if name == "" {
		return ".", nil
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) != name {
		return "", errNoFile
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return "", errNoFile
		}
	}
	return name, nil
}

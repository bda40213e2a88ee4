// Package content is a small static server of immutable files: the place from
// which replicas download their data at start.
//
// A file whose name carries its digest, as in wordnet.3f9a0c21b7de.bin.gz, never
// changes, so every cache may keep it for ever. A file without one may change;
// it is served with a validator and must be revalidated. Ranges are supported,
// which is what makes a download resumable; If-Range and the entity tag make
// sure that the two halves belong to the same file.
package content

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes content to operators and to the wiring test.
var Program = process.Program{
	Name:  "content",
	About: "serves immutable, digest-named files with ranges",
}

// Config is the configuration of content.
type Config struct {
	process.Contract
	Dir string `env:"CONTENT_DIR,notEmpty" envDefault:"/data" doc:"folder whose files are served; folders in it, links out of it and names that begin with a dot are not"`
}

// Run serves the files of the folder until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return fmt.Errorf("open CONTENT_DIR: %w", err)
	}
	defer root.Close()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	// The folder may be a volume that goes away while the process lives.
	p.Health.Ready("folder", func(context.Context) error {
		if _, err := os.Stat(cfg.Dir); err != nil {
			return fmt.Errorf("the folder of CONTENT_DIR cannot be read")
		}
		return nil
	})
	e := api.New(p)
	routes(e, &files{root: root, tags: map[string]tag{}})
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, f *files) {
	e.GET("/", f.list)
	e.Match([]string{http.MethodGet, http.MethodHead}, "/:name", func(c echo.Context) error { return f.serve(c, api.Param(c, "name")) })
}

package hotshards

import (
	_ "embed" // page and description
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

var (
	//go:embed openapi.yaml
	openAPI []byte
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle []byte

	page = template.Must(template.New("page").Parse(pageText))
)

// routes adds all routes. None changes anything: what the controller does follows from its configuration.
func (c *controller) routes(e *echo.Echo) {
	e.Use(fresh)
	e.GET("/v1/shards", c.getShards)
	e.GET("/v1/decisions", c.getDecisions)
	e.GET("/v1/plan", c.getPlan)
	e.GET("/v1/openapi.yaml", func(ctx echo.Context) error { return ctx.Blob(http.StatusOK, "application/yaml", openAPI) })
	e.GET("/page.css", func(ctx echo.Context) error { return ctx.Blob(http.StatusOK, "text/css; charset=utf-8", pageStyle) })
	e.GET("/", c.getPage)
}

// fresh keeps answers out of caches: they are those of this moment.
func fresh(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		h := ctx.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		return next(ctx)
	}
}

func (c *controller) getShards(ctx echo.Context) error {
	r, err := c.report()
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, r)
}

func (c *controller) getPlan(ctx echo.Context) error {
	p, err := c.plan()
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, p)
}

func (c *controller) getDecisions(ctx echo.Context) error {
	limit := c.cfg.History
	if text := ctx.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return problem.New(http.StatusBadRequest, "bad-request", "limit is a number from 1 to 10000")
		}
		limit = n
	}
	return ctx.JSON(http.StatusOK, map[string]any{"decisions": c.history.newest(limit)})
}

// onPage is how many decisions the page shows.
const onPage = 20

func (c *controller) getPage(ctx echo.Context) error {
	r, err := c.report()
	if err != nil {
		return err
	}
	p, err := c.plan()
	if err != nil {
		return err
	}
	var text strings.Builder
	err = page.Execute(&text, map[string]any{"Report": r, "Plan": p, "Decisions": c.history.newest(onPage), "Explained": missing[r.Missing]})
	if err != nil {
		return err
	}
	return ctx.HTML(http.StatusOK, text.String())
}

func unknown() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, "loads-unknown", "there was no look yet that found all proxies and the orchestrator; /readyz of the administration listener tells what is missing").Retry(time.Second)
}

package topz

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/negotiate"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

//go:embed templates/topz.html
var templates embed.FS

var page = template.Must(template.New("topz.html").Funcs(template.FuncMap{
	"percent": func(n *float64) string { return unknownOr(n, "%.1f") },
	"count":   func(n *int) string { return unknownOr(n, "%d") },
	"mib":     func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) },
	"clock":   func(t time.Time) string { return t.Format(time.DateTime) },
}).ParseFS(templates, "templates/topz.html"))

func unknownOr[T any](n *T, format string) string {
	if n == nil {
		return "–"
	}
	return fmt.Sprintf(format, *n)
}

// handler shows what the sampler saw.
type handler struct{ sampler *sampler }

// refresh is how often the page asks again.
const refresh = 2 * time.Second

func (h *handler) topz(c echo.Context) error {
	column := c.QueryParam("sort")
	if column == "" {
		column = "cpu"
	}
	if columns[column] == nil {
		names := strings.Join(slices.Sorted(maps.Keys(columns)), ", ")
		return problem.New(http.StatusBadRequest, "bad-request", fmt.Sprintf("sort by one of %s", names))
	}
	kind, ok := negotiate.Accept(c.Request().Header.Get("Accept"), "application/json", "text/html")
	if !ok {
		return problem.New(http.StatusNotAcceptable, "not-acceptable", "what there is: application/json and text/html")
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Accept")
	rows := h.sampler.current.Load().sorted(column)
	if kind == "application/json" {
		return c.JSON(http.StatusOK, rows)
	}
	return render(c, rows, column)
}

// render writes the page. It has no script, and may load nothing.
func render(c echo.Context, rows Snapshot, column string) error {
	var out bytes.Buffer
	err := page.Execute(&out, struct {
		Snapshot
		Sort    string
		Refresh int
	}{rows, column, int(refresh.Seconds())})
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	return c.HTMLBlob(http.StatusOK, out.Bytes())
}

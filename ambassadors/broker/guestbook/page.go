package guestbook

import (
	_ "embed"
	"errors"
	"html/template"
	"math"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

//go:embed page.html
var pageText string

// view is what the page shows.
type view struct {
	Entries []Entry
	Problem string
	Token   string // of the next entry: a form that is sent twice makes one
}

func render(c echo.Context, status int, v view) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	v.Token = uuid.NewString()
	h := c.Response().Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	c.Response().WriteHeader(status)
	return t.Execute(c.Response(), v)
}

// page answers GET /.
func (h *handlers) page(c echo.Context) error {
	entries, err := h.book.list(c.Request().Context(), math.MaxInt64, maxLimit)
	if err != nil {
		return h.showProblem(c, unavailable(err))
	}
	return render(c, http.StatusOK, view{Entries: entries})
}

// sign answers the form of the page.
func (h *handlers) sign(c echo.Context) error {
	token := c.FormValue("token")
	if _, err := uuid.Parse(token); err != nil {
		token = uuid.NewString()
	}
	_, err := h.write(c.Request().Context(), token, Entry{Name: c.FormValue("name"), Message: c.FormValue("message")})
	if err != nil {
		return h.showProblem(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// showProblem shows people what programs get as problem+json.
func (h *handlers) showProblem(c echo.Context, err error) error {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return err
	}
	if p.Status >= http.StatusInternalServerError {
		h.log.ErrorContext(c.Request().Context(), "page shows a problem", "error", err)
	}
	if after := p.RetryAfterSeconds(); after != "" {
		c.Response().Header().Set("Retry-After", after)
	}
	return render(c, p.Status, view{Problem: p.Detail})
}

package guestbook

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

type handlers struct {
	book *book
	log  *slog.Logger
}

// Bounds of an entry, in characters, and of a list.
const (
	maxName    = 80
	maxMessage = 2000
	maxLimit   = 100
)

// list answers GET /v1/entries.
func (h *handlers) list(c echo.Context) error {
	limit, ok := ranged(c.QueryParam("limit"), 20, maxLimit)
	if !ok {
		return problem.New(http.StatusBadRequest, "entries-range-invalid", "limit is a number from 1 to 100")
	}
	before, ok := ranged(c.QueryParam("before"), math.MaxInt64, math.MaxInt64)
	if !ok {
		return problem.New(http.StatusBadRequest, "entries-range-invalid", "before is the id of an entry")
	}
	entries, err := h.book.list(c.Request().Context(), before, int(limit))
	if err != nil {
		return unavailable(err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, entries)
}

// ranged reads a number from 1 to most.
func ranged(text string, byDefault, most int64) (int64, bool) {
	if text == "" {
		return byDefault, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 1 && n <= most
}

// add answers POST /v1/entries. The same Idempotency-Key makes one entry only.
func (h *handlers) add(c echo.Context) error {
	var e Entry
	if err := c.Bind(&e); err != nil {
		return err
	}
	token := c.Request().Header.Get("Idempotency-Key")
	if token == "" {
		token = uuid.NewString()
	}
	if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return problem.New(http.StatusBadRequest, "entry-invalid", "Idempotency-Key is at most 64 printable ASCII characters")
	}
	e, err := h.write(c.Request().Context(), token, e)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, e)
}

func (h *handlers) write(ctx context.Context, token string, e Entry) (Entry, error) {
	e.Name, e.Message = strings.TrimSpace(e.Name), strings.TrimSpace(e.Message)
	var wrong []string
	if n := utf8.RuneCountInString(e.Name); n < 1 || n > maxName || !printable(e.Name) {
		wrong = append(wrong, "name has 1 to 80 printable characters")
	}
	if utf8.RuneCountInString(e.Message) > maxMessage || !printable(e.Message) {
		wrong = append(wrong, "message has at most 2000 printable characters")
	}
	if len(wrong) > 0 {
		return e, problem.New(http.StatusUnprocessableEntity, "entry-invalid", strings.Join(wrong, "; "))
	}
	e, err := h.book.add(ctx, token, e)
	if err != nil {
		return e, unavailable(err)
	}
	return e, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' })
}

// unavailable is the answer when the database has failed. What it said goes
// with the error, for the log.
func unavailable(err error) error {
	p := problem.New(http.StatusServiceUnavailable, "database-unavailable", "the guest book cannot reach its database at the moment; nothing is lost")
	return fmt.Errorf("%w: %w", p.Retry(time.Second), err)
}

package configapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

func (s *service) mayWrite(r *http.Request) bool {
	if s.token == "" {
		return true
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Digests have one length, so that the comparison tells nothing of the token's.
	want, got := sha256.Sum256([]byte(s.token)), sha256.Sum256([]byte(given))
	return bearer && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func (s *service) list(c echo.Context) error {
	entries, err := s.store.list(c.Request().Context(), c.QueryParam("prefix"))
	if err != nil {
		return asProblem(err)
	}
	return answer(c, http.StatusOK, entries)
}

func (s *service) get(c echo.Context, t target) error {
	d, err := s.store.get(c.Request().Context(), t.name)
	if err != nil {
		return asProblem(err)
	}
	return content(c, d)
}

func (s *service) version(c echo.Context, t target) error {
	number, err := parseVersion(t.rest)
	if err != nil {
		return err
	}
	d, err := s.store.past(c.Request().Context(), t.name, number)
	if err != nil {
		return asProblem(err)
	}
	return content(c, d)
}

// content answers with the bytes of a configuration. What is in them is not ours:
// a browser must not run it.
func content(c echo.Context, d document) error {
	h := c.Response().Header()
	h.Set("ETag", d.ETag)
	h.Set("Config-Version", strconv.FormatInt(d.Version.Version, 10))
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
	if matches(c.Request().Header.Get("If-None-Match"), d.ETag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, d.ContentType, d.content)
}

func (s *service) put(c echo.Context, t target) error {
	r := c.Request()
	body, err := io.ReadAll(io.LimitReader(r.Body, s.maxSize+1))
	if err != nil {
		return problem.New(http.StatusBadRequest, "body-incomplete", "the request ended before its body did")
	}
	if int64(len(body)) > s.maxSize {
		return problem.New(http.StatusRequestEntityTooLarge, "body-too-large", fmt.Sprintf("a configuration has at most %d bytes", s.maxSize))
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		kind = typeByName(t.name)
	}
	if !checkType(kind) {
		return problem.New(http.StatusUnsupportedMediaType, "media-type-unsupported", "the Content-Type is none; leave it out to have it chosen by the name")
	}
	return s.change(c, t.name, change{content: body, contentType: kind, ifMatch: r.Header.Get("If-Match"), ifNoneMatch: r.Header.Get("If-None-Match")})
}

// rollback makes an old version the newest one, byte for byte.
func (s *service) rollback(c echo.Context, t target) error {
	r := c.Request()
	var wanted struct {
		Version int64 `json:"version"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil || wanted.Version < 1 {
		return problem.New(http.StatusBadRequest, "body-invalid", `send {"version": 3}, with the version to go back to`)
	}
	old, err := s.store.past(r.Context(), t.name, wanted.Version)
	if err != nil {
		return asProblem(err)
	}
	return s.change(c, t.name, change{content: old.content, contentType: old.ContentType, rollbackOf: wanted.Version, ifMatch: r.Header.Get("If-Match")})
}

func (s *service) change(c echo.Context, name string, wanted change) error {
	v, created, err := s.store.put(c.Request().Context(), name, wanted)
	if err != nil {
		return asProblem(err)
	}
	c.Response().Header().Set("ETag", v.ETag)
	if created {
		c.Response().Header().Set("Location", below+name)
		return answer(c, http.StatusCreated, v)
	}
	return answer(c, http.StatusOK, v)
}

func (s *service) remove(c echo.Context, t target) error {
	if err := s.store.remove(c.Request().Context(), t.name, c.Request().Header.Get("If-Match")); err != nil {
		return asProblem(err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *service) versions(c echo.Context, t target) error {
	all, err := s.store.versions(c.Request().Context(), t.name)
	if err != nil {
		return asProblem(err)
	}
	return answer(c, http.StatusOK, all)
}

// diff answers what changed from one version to another: by default, by the last
// change.
func (s *service) diff(c echo.Context, t target) error {
	ctx := c.Request().Context()
	now, err := s.store.get(ctx, t.name)
	if err != nil {
		return asProblem(err)
	}
	to, err := version(c, "to", now.Version.Version)
	if err != nil {
		return err
	}
	from, err := version(c, "from", max(to-1, 1))
	if err != nil {
		return err
	}
	var texts [2]string
	for i, number := range []int64{from, to} {
		d, err := s.store.past(ctx, t.name, number)
		if err != nil {
			return asProblem(err)
		}
		if !isText(d.content) {
			return problem.New(http.StatusUnprocessableEntity, "not-text", fmt.Sprintf("version %d is no text: there are no lines to compare", number))
		}
		texts[i] = string(d.content)
	}
	difference, err := unified(fmt.Sprintf("%s version %d", t.name, from), fmt.Sprintf("%s version %d", t.name, to), texts[0], texts[1])
	if err != nil {
		return fmt.Errorf("compare versions: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(difference))
}

func version(c echo.Context, parameter string, fallback int64) (int64, error) {
	if value := c.QueryParam(parameter); value != "" {
		return parseVersion(value)
	}
	return fallback, nil
}

func parseVersion(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 1 || number > 9_999_999_999 { // ten digits in a key
		return 0, problem.New(http.StatusBadRequest, "version-invalid", "want the number of a version, from 1 on")
	}
	return number, nil
}

func answer(c echo.Context, code int, value any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(code, value)
}

// retryAfter is what clients are asked to wait when etcd is away.
const retryAfter = time.Second

// asProblem turns the outcome of the store into what a client is told. What it
// does not know becomes a 500. The log gets the outcome itself.
func asProblem(err error) error {
	if p := explain(err); p != nil {
		return fmt.Errorf("%w: %w", p, err)
	}
	return err
}

func explain(err error) *problem.Problem {
	switch {
	case errors.Is(err, errAbsent):
		return problem.New(http.StatusNotFound, "config-not-found", "there is no configuration of this name; GET /v1/configs lists them")
	case errors.Is(err, errNoRecord):
		return problem.New(http.StatusNotFound, "version-not-found", "there is no such version, or no more; …/versions lists them")
	case errors.Is(err, errChanged):
		return problem.New(http.StatusPreconditionFailed, "config-changed", "the configuration is not the one that If-Match or If-None-Match expects, or others change it all the time; get it again")
	case errors.Is(err, errFull):
		return problem.New(http.StatusInsufficientStorage, "configs-full", "there are as many configurations as there may be; delete one first")
	case errors.Is(err, rpctypes.ErrNoSpace):
		return problem.New(http.StatusInsufficientStorage, "configs-full", etcdclient.Explain(err))
	case etcdclient.Unavailable(err):
		return problem.New(http.StatusServiceUnavailable, "store-unavailable", etcdclient.Explain(err)+"; whether a change was made is known when it is sent again").Retry(retryAfter)
	}
	return nil
}

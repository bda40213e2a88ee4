package gitsync

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// webhook is POST /v1/sync.
type webhook struct {
	secret []byte // nil: callers on loopback only
	limit  *rate.Limiter
	ask    func()
	count  func(result string)
}

func newWebhook(cfg Config, ask func(), count func(string)) (*webhook, error) {
	w := &webhook{limit: rate.NewLimiter(rate.Limit(cfg.SyncRate), max(1, int(2*cfg.SyncRate))), ask: ask, count: count}
	if cfg.SecretFile == "" {
		return w, nil
	}
	text, err := watch.Read(cfg.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("read GITSYNC_WEBHOOK_SECRET_FILE: %w", err)
	}
	w.secret = []byte(strings.TrimSpace(string(text)))
	if len(w.secret) < 16 {
		return nil, errors.New("GITSYNC_WEBHOOK_SECRET_FILE: want a secret of at least 16 characters")
	}
	return w, nil
}

var (
	errUnsigned = problem.New(http.StatusUnauthorized, "signature-required",
		"sign the body: X-Hub-Signature-256: sha256=<HMAC in hexadecimal>, or send the secret as Authorization: Bearer …")
	errNotLocal = problem.New(http.StatusForbidden, "loopback-only", "without GITSYNC_WEBHOOK_SECRET_FILE only loopback is answered")
	errTooMany  = problem.New(http.StatusTooManyRequests, "rate-limited", "more calls than GITSYNC_SYNC_RATE; a call before this one brings the newest revision as well")
)

// serve takes the call. What its body says does not matter: what counts is what the
// repository says when it is asked.
func (w *webhook) serve(c echo.Context) error {
	body, err := io.ReadAll(c.Request().Body) // bounded by package api
	if err != nil {
		return err
	}
	if p := w.refuse(c.Request(), body); p != nil {
		w.count("refused")
		return p
	}
	if !w.limit.Allow() {
		w.count("limited")
		return errTooMany.Retry(time.Second)
	}
	w.count("accepted")
	w.ask()
	return c.JSON(http.StatusAccepted, map[string]string{"status": "/v1/status"})
}

func (w *webhook) refuse(r *http.Request, body []byte) *problem.Problem {
	if w.secret == nil {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return errNotLocal
		}
		return nil
	}
	if signed(w.secret, r.Header.Get("X-Hub-Signature-256"), body) || bearer(w.secret, r.Header.Get("Authorization")) {
		return nil
	}
	return errUnsigned
}

// signed tells whether a field is "sha256=" and the HMAC of the body.
func signed(secret []byte, field string, body []byte) bool {
	text, ok := strings.CutPrefix(field, "sha256=")
	if !ok {
		return false
	}
	given, err := hex.DecodeString(text)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil)) // in constant time
}

// bearer compares digests, which have one length, so that the time tells nothing.
func bearer(secret []byte, field string) bool {
	given, ok := strings.CutPrefix(field, "Bearer ")
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && ok
}

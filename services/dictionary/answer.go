package dictionary

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/negotiate"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/dictionary/page"
)

// The media types that are negotiated.
const (
	html     = "text/html"
	jsonType = "application/json"
)

// Policies of caching.
const (
	private  = "no-store"
	negative = "public, max-age=60" // an unknown word stays unknown for a while
)

// publicPolicy is the Cache-Control of answers about words.
func publicPolicy(cfg Config) string {
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	return fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d", seconds(cfg.MaxAge), seconds(cfg.Revalidate), seconds(cfg.IfError))
}

// answer is a representation, not made yet.
type answer struct {
	status     int    // 0 means 200
	kind       string // media type
	cache      string // Cache-Control
	tag        string // names the content, of this data and these pages; "" for no ETag
	negotiated bool   // whether Accept chose it
	packed     []byte // gzip of the body, where it is at hand
	body       func() ([]byte, error)
}

// send answers with a representation, or with 304 when the client has it. The
// body is not made then.
func (s *server) send(c echo.Context, a answer) error {
	h := c.Response().Header()
	zipped := negotiate.Gzip(strings.Join(c.Request().Header.Values("Accept-Encoding"), ","))
	h.Set("Cache-Control", a.cache)
	vary(h, a.negotiated)
	if a.tag != "" {
		etag := s.etag(a.kind, a.tag, zipped)
		h.Set("ETag", etag)
		if matches(c.Request().Header.Values("If-None-Match"), etag) {
			return c.NoContent(http.StatusNotModified)
		}
	}
	body, err := a.bytes(zipped)
	if err != nil {
		return err
	}
	if zipped {
		h.Set("Content-Encoding", "gzip")
	}
	if a.kind == html {
		h.Set("Content-Security-Policy", page.Policy)
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return c.Blob(max(a.status, http.StatusOK), charset(a.kind), body)
}

func charset(kind string) string {
	if strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset") {
		return kind + "; charset=utf-8"
	}
	return kind
}

func vary(h http.Header, negotiated bool) {
	if negotiated {
		h.Set("Vary", "Accept, Accept-Encoding")
		return
	}
	h.Set("Vary", "Accept-Encoding")
}

// etag is a strong validator: all that the bytes of a representation depend on.
func (s *server) etag(kind, tag string, zipped bool) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s|%s|%s|%s|%t", s.words.file.SHA256, s.pages.Digest, kind, tag, zipped)
	return `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

// matches evaluates If-None-Match, for which weak comparison is right (RFC 9110,
// 13.1.2). Our tags hold no commas and no quotes.
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// zippers are kept: each holds tables of 800 KB. They have no state between uses,
// so that the same body always gives the same bytes, as its ETag says.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.DefaultCompression) // the level is valid
	return z
}}

func (a answer) bytes(zipped bool) ([]byte, error) {
	if zipped && a.packed != nil {
		return a.packed, nil
	}
	body, err := a.body()
	if err != nil || !zipped {
		return body, err
	}
	var b bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	if _, err := z.Write(body); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return b.Bytes(), nil
}

// asJSON makes the body of a value.
func asJSON(value any) func() ([]byte, error) {
	return func() ([]byte, error) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // it is sent as JSON, with nosniff
		if err := enc.Encode(value); err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		return b.Bytes(), nil
	}
}

// choose picks the media type for a request.
func choose(c echo.Context, offers ...string) (string, error) {
	kind, ok := negotiate.Accept(strings.Join(c.Request().Header.Values("Accept"), ","), offers...)
	if ok {
		return kind, nil
	}
	vary(c.Response().Header(), true)
	return "", problem.New(http.StatusNotAcceptable, "not-acceptable", "this resource has the representations "+strings.Join(offers, " and "))
}

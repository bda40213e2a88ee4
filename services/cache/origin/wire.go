package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// targetURL makes net/http send exactly this target: Opaque is written as it is. A path that begins with
// two slashes would be taken for an authority, so it goes out in absolute form.
func targetURL(scheme, addr, target string) *url.URL {
	path, query, has := strings.Cut(target, "?")
	u := &url.URL{Scheme: scheme, Host: addr, Opaque: path, RawQuery: query, ForceQuery: has}
	if strings.HasPrefix(path, "//") {
		u.Opaque = "//" + addr + path
	}
	return u
}

// fields flattens a header, sorted by name so that what we send does not depend on map order. Lines of the
// same name keep their order.
func fields(h http.Header) rfc9111.Header {
	names := make([]string, 0, len(h))
	n := 0
	for name, values := range h {
		names = append(names, name)
		n += len(values)
	}
	slices.Sort(names)
	flat := make(rfc9111.Header, 0, n)
	for _, name := range names {
		for _, v := range h[name] {
			flat = append(flat, rfc9111.Field{Name: name, Value: v})
		}
	}
	return flat
}

// errStalled is the cause when a body paused for too long.
var errStalled = errors.New("upstream sent nothing of its body for too long")

// responseBody ends the request when the body is closed, and breaks it off when it stalls.
type responseBody struct {
	io.ReadCloser
	cancel   context.CancelCauseFunc
	endpoint *upstream.Endpoint
	release  func()
	stall    time.Duration
	once     sync.Once
	timer    *time.Timer
}

// Read reads with a bound on the wait.
func (b *responseBody) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.stall, func() { b.cancel(errStalled) })
	} else {
		b.timer.Reset(b.stall)
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	return n, err
}

// Close gives back connection, endpoint and slot. It may be called more than once.
func (b *responseBody) Close() error {
	err := error(nil)
	b.once.Do(func() {
		if b.timer != nil {
			b.timer.Stop()
		}
		err = b.ReadCloser.Close()
		b.cancel(nil)
		b.endpoint.Release()
		if b.release != nil {
			b.release()
		}
	})
	return err
}

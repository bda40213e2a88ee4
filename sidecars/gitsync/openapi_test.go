package gitsync

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	openapi.Compare(t, "openapi.yaml", func(e *echo.Echo) { routes(e, &board{}, &webhook{}) })
}

func TestWithoutASecretOnlyLoopbackIsAnswered(t *testing.T) {
	w := &webhook{}
	for from, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "10.0.0.1:1": false, "": false, "localhost:1": false} {
		r := httptest.NewRequest(http.MethodPost, "/v1/sync", nil)
		r.RemoteAddr = from
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		if got := w.refuse(r, nil) == nil; got != want {
			t.Errorf("%q: %v", from, got)
		}
	}
}

// Whatever is sent as a signature: only the HMAC of this body is one.
func FuzzSignature(f *testing.F) {
	key := []byte("a-secret-of-some-length")
	f.Add("sha256=00", []byte("{}"))
	f.Add("sha256=ec4a82bd93d2a9a5ab1a2f0d1ab5eb8a73f3cf4f8b48b5ff0ae5ec3e6c4cf0a1", []byte("{}"))
	f.Fuzz(func(t *testing.T, field string, body []byte) {
		if signed(key, field, body) && !signed(key, field, append([]byte(nil), body...)) {
			t.Error("the same body, another answer")
		}
		if signed(key, field, body) && signed(key, field, append(body, 'x')) {
			t.Errorf("%q signs two bodies", field)
		}
		if bearer(key, field) {
			t.Errorf("%q is taken for the secret", field)
		}
	})
}

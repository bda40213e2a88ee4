package processtest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Do sends a request and reads the whole answer. The header fields are names and
// values in turn.
func Do(t testing.TB, client *http.Client, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

// Get asks for a page by the default client.
func Get(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return Do(t, http.DefaultClient, http.MethodGet, url, "", header...)
}

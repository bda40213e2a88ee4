package negotiate_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/negotiate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	html = "text/html"
	json = "application/json"
)

func TestAcceptHeedsWeightsAndSpecificity(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"":                 html,
		"*/*":              html,
		"application/json": json,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8": html, // a browser
		"text/html;q=0.5, application/json":                                                     json,
		"application/json;q=0.2, text/*;q=0.3":                                                  html,
		"*/*;q=0.1, application/json;q=0.2":                                                     json,
		"text/html;q=0, */*":                                                                    json, // the specific range counts
		"APPLICATION/JSON":                                                                      json,
		"text/html;charset=utf-8":                                                               html,
		"application/json;version=2":                                                            "",
		"image/png":                                                                             "",
		"text/html;q=0":                                                                         "",
		"application/json;q=2, text/html;q=0.1":                                                 html, // 2 is no weight
		",,, ;q=1":                                                                              html, // nothing that can be read
		"application/*":                                                                         json,
		"application/json; q=0.001":                                                             json,
	} {
		got, ok := negotiate.Accept(field, html, json)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

func TestGzipIsUsedWhereItIsWelcome(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]bool{
		"": false, "gzip": true, "gzip, deflate, br": true, "GZIP": true, "x-gzip": true, "identity": false, "br": false, "*": true,
		"gzip;q=0": false, "*;q=0": false, "gzip;q=0, *": false, "gzip;q=0.5, identity": false, "gzip;q=0.5, identity;q=0.5": true, "gzip;q=1.5": false,
	} {
		if got := negotiate.Gzip(field); got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"text/html;q=0.5, */*", "a/b;c=d;q=1.000", ";;;,,,", "text/*;q=.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got, ok := negotiate.Accept(field, html, json)
		if ok != (got == html || got == json) {
			t.Errorf("%q: %q, %v", field, got, ok)
		}
		negotiate.Gzip(field)
	})
}

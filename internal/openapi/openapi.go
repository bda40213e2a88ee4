// Package openapi holds an OpenAPI 3.1 document and the routes of an API
// together: a path that is served but not described, or described but not
// served, is a difference. A test of each API demands that there is none.
package openapi

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"
)

// Compare fails a test for each difference between the document in a file and the routes that are registered.
func Compare(t testing.TB, file string, register func(*echo.Echo)) {
	t.Helper()
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	register(e)
	diff, err := Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

// Diff tells how the document and the routes differ, a line each.
func Diff(document []byte, routes []*echo.Route) ([]string, error) {
	described, err := described(document)
	if err != nil {
		return nil, err
	}
	served := map[string]bool{}
	for _, r := range routes {
		if known(r.Method) { // echo lists its own pseudo methods too
			served[r.Method+" "+template(r.Path)] = true
		}
	}
	var diff []string
	for op := range served {
		if !described[op] {
			diff = append(diff, op+" is served but not described")
		}
	}
	for op := range described {
		if !served[op] {
			diff = append(diff, op+" is described but not served")
		}
	}
	slices.Sort(diff)
	return diff, nil
}

var parameter = regexp.MustCompile(`:([A-Za-z_]+)`)

// template writes echo's /words/:word as OpenAPI's /words/{word}.
func template(path string) string { return parameter.ReplaceAllString(path, "{$1}") }

func known(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

func described(document []byte) (map[string]bool, error) {
	var doc struct {
		OpenAPI string `yaml:"openapi"`
		Info    struct {
			Title   string `yaml:"title"`
			Version string `yaml:"version"`
		} `yaml:"info"`
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		return nil, fmt.Errorf("want an OpenAPI 3.1 document with a title and a version, got %q", doc.OpenAPI)
	}
	ops := map[string]bool{}
	for path, item := range doc.Paths {
		for key := range item {
			if method := strings.ToUpper(key); known(method) {
				ops[method+" "+path] = true
			}
		}
	}
	return ops, nil
}

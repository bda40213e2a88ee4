package openapi_test

import (
	"slices"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
)

const document = `
openapi: 3.1.0
info: {title: demo, version: "1"}
paths:
  /words/{word}:
    parameters: []
    get: {responses: {"200": {description: the word}}}
  /gone:
    delete: {responses: {"204": {description: gone}}}
`

func TestDiffNamesBothSides(t *testing.T) {
	e := echo.New()
	nothing := func(echo.Context) error { return nil }
	e.GET("/words/:word", nothing)
	e.POST("/new", nothing)
	diff, err := openapi.Diff([]byte(document), e.Routes())
	want := []string{"DELETE /gone is described but not served", "POST /new is served but not described"}
	if err != nil || !slices.Equal(diff, want) {
		t.Errorf("%q %v, want %q", diff, err, want)
	}
}

func TestOtherDocumentsAreRefused(t *testing.T) {
	for _, doc := range []string{"", "swagger: '2.0'", "openapi: 3.0.0", "{", "openapi: 3.1.0"} {
		if _, err := openapi.Diff([]byte(doc), nil); err == nil {
			t.Errorf("%q was accepted", doc)
		}
	}
}

package api

import (
	"net/url"

	"github.com/labstack/echo/v4"
)

// Param is a parameter of the path as it was meant, unescaped once. Echo's own Param gives it
// unescaped where the path was sent in its usual form, and as it was sent where not: to
// unescape that again makes an A of %2541, and refuses 100%25.
func Param(c echo.Context, name string) string {
	text := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text // not reached: a path that cannot be unescaped is refused before
}

package site

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// The bounds of a page that is put together.
const (
	maxPage     = 1 << 20 // bytes of a file of it; a larger page is served as it is
	maxIncludes = 16
)

var include = regexp.MustCompile(`<!--#include "([A-Za-z0-9][A-Za-z0-9._-]*)" -->`)

// answer sends a file; a page with what it includes.
func answer(c echo.Context, r revision, file *os.File, info os.FileInfo) error {
	if filepath.Ext(info.Name()) != ".html" || info.Size() > maxPage {
		// Without a time: a revision is told by its tag.
		http.ServeContent(c.Response(), c.Request(), info.Name(), time.Time{}, file)
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPage))
	if err != nil {
		return fmt.Errorf("read %q: %w", info.Name(), err)
	}
	folder := strings.TrimPrefix(filepath.Dir(file.Name()), r.Name())
	page := r.assemble(strings.TrimPrefix(folder, "/"), text)
	http.ServeContent(c.Response(), c.Request(), info.Name(), time.Time{}, bytes.NewReader(page))
	return nil
}

// assemble puts the included files into a page. What is included includes nothing,
// and a file that is not there leaves nothing.
func (r revision) assemble(folder string, text []byte) []byte {
	count := 0
	return include.ReplaceAllFunc(text, func(line []byte) []byte {
		if count++; count > maxIncludes {
			return nil
		}
		name := string(include.FindSubmatch(line)[1])
		file, err := r.Open(filepath.Join(folder, name))
		if err != nil {
			return nil
		}
		defer file.Close()
		part, err := io.ReadAll(io.LimitReader(file, maxPage))
		if err != nil {
			return nil
		}
		return bytes.TrimRight(part, "\n")
	})
}

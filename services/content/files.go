package content

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// named matches a file name that carries a digest: at least twelve hexadecimal
// digits between dots.
var named = regexp.MustCompile(`\.[0-9a-f]{12,64}\.`)

// files serves the files of one folder. os.Root keeps every path inside it.
type files struct {
	root *os.Root

	mu   sync.Mutex // guards tags
	tags map[string]tag
}

// tag is the entity tag of a file as it was when it was hashed.
type tag struct {
	size     int64
	modified time.Time
	etag     string
}

// Entry is a file in the list that GET / answers.
type Entry struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
}

func (f *files) list(c echo.Context) error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	all, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	entries := []Entry{}
	for _, e := range all {
		info, err := e.Info()
		if err != nil || !servable(info) {
			continue
		}
		entries = append(entries, Entry{e.Name(), info.Size()})
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.JSON(http.StatusOK, entries)
}

func servable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && !strings.HasPrefix(info.Name(), ".")
}

var notFound = problem.New(http.StatusNotFound, "no-such-file", "the folder has no file of this name; GET / lists them")

func (f *files) serve(c echo.Context, name string) error {
	if strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return notFound
	}
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("stat %q: %w", name, err)
	}
	if !servable(info) {
		return notFound
	}
	etag, err := f.etag(name, file, info)
	if err != nil {
		return fmt.Errorf("hash %q: %w", name, err)
	}
	h := c.Response().Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", "no-cache")
	if named.MatchString(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasSuffix(name, ".gz") {
		// The compressed file is what is served: it must not be taken for a
		// transfer that the client undoes.
		h.Set("Content-Type", "application/gzip")
	}
	http.ServeContent(c.Response(), c.Request(), name, info.ModTime(), file)
	return nil
}

// etag hashes a file once, and again only when its size or time has changed.
func (f *files) etag(name string, file *os.File, info fs.FileInfo) (string, error) {
	f.mu.Lock()
	known, ok := f.tags[name]
	f.mu.Unlock()
	if ok && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known.etag, nil
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	etag := `"` + hex.EncodeToString(digest.Sum(nil)[:16]) + `"`
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tags[name] = tag{info.Size(), info.ModTime(), etag} // names are the folder's: bounded by it
	return etag, nil
}

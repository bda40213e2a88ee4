// Package wordnettest gives tests the dictionary that is committed in the tree.
package wordnettest

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/services/dictionary/data"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// Packed is the path of the committed, compressed file.
func Packed() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "data", data.File)
}

// unpack reads the committed file once per test binary.
var unpack = sync.OnceValues(func() ([]byte, error) {
	f, err := os.Open(Packed())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
})

// Bytes returns the unpacked file. It is shared: do not change it.
func Bytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := unpack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// load opens it once: a Dictionary is safe for concurrent use.
var load = sync.OnceValues(func() (*wordnet.Dictionary, error) {
	b, err := unpack()
	if err != nil {
		return nil, err
	}
	return wordnet.New(b)
})

// Load returns the whole dictionary. It is shared: do not close it.
func Load(tb testing.TB) *wordnet.Dictionary {
	tb.Helper()
	d, err := load()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

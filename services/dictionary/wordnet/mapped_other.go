//go:build !unix

package wordnet

import (
	"io"
	"math"
	"os"
)

// Open reads the file at path: there is no mapping here.
func Open(path string) (*Dictionary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Map(f)
}

// Map reads an open file, which may be closed afterwards.
func Map(f *os.File) (*Dictionary, error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt32))
	if err != nil {
		return nil, err
	}
	return New(data)
}

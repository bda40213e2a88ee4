// Command wordnet-build makes the dictionary's data file from WordNet's own files
// (Debian: apt-get install wordnet-base) and writes it, compressed and named by
// its digest, with a manifest.
//
//	go run ./cmd/wordnet-build -from /usr/share/wordnet -to data
//
// The digest in the name is that of the uncompressed file: it depends on WordNet
// and on the format alone, not on the compressor.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/build"
)

// manifest is data/manifest.json.
type manifest struct {
	File           string `json:"file"`
	Source         string `json:"source"`
	SHA256         string `json:"sha256"`          // of the unpacked file
	Size           int    `json:"size"`            // of the unpacked file
	CompressedSize int    `json:"compressed_size"` // of the committed file
	CompressedSHA  string `json:"compressed_sha256"`
}

func main() {
	from := flag.String("from", "/usr/share/wordnet", "directory with index.*, data.*, *.exc and cntlist.rev")
	to := flag.String("to", "data", "directory to write to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "wordnet-build:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	data, err := build.Build(os.DirFS(from))
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zip.Write(data); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	digest, packedDigest := sha256.Sum256(data), sha256.Sum256(packed.Bytes())
	m := manifest{
		Source: "WordNet 3.0 (Debian wordnet-base 1:3.0-37)", SHA256: hex.EncodeToString(digest[:]), Size: len(data),
		CompressedSize: packed.Len(), CompressedSHA: hex.EncodeToString(packedDigest[:]),
	}
	m.File = "wordnet-3.0." + m.SHA256[:16] + ".bin.gz"
	described, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, m.File), packed.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, unpacked %d\n", m.File, m.CompressedSize, m.Size)
	return os.WriteFile(filepath.Join(to, "manifest.json"), append(described, '\n'), 0o644)
}

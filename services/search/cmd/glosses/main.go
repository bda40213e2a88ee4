// Command glosses makes the fleet's corpus from WordNet's own files (Debian: apt-get install wordnet-base) and writes it, compressed and
// named by its digest:
//
//	go run ./services/search/cmd/glosses
//
// The digest is that of the uncompressed file: it depends on WordNet and on the form of the documents alone, not on the compressor.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/services/search/corpus"
)

func main() {
	from := flag.String("from", "/usr/share/wordnet", "folder with WordNet's data.* files")
	to := flag.String("to", "services/search/corpus", "folder to write to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "glosses:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	var plain, packed bytes.Buffer
	count, err := corpus.Write(&plain, os.DirFS(from))
	if err != nil {
		return err
	}
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = zip.Write(plain.Bytes())
	if err := errors.Join(err, zip.Close()); err != nil {
		return err
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(plain.Bytes()))
	name := "wordnet-3.0-glosses." + digest[:16] + ".jsonl.gz"
	if err := os.WriteFile(filepath.Join(to, name), packed.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d documents, %d bytes, unpacked %d\nSHA-256 of the unpacked file: %s\n", name, count, packed.Len(), plain.Len(), digest)
	return nil
}

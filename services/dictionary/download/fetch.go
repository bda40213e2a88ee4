package download

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// The reasons for which a file that arrived is refused.
var (
	ErrDigest  = errors.New("wrong digest")
	ErrTooBig  = errors.New("larger than the limit")
	ErrDamaged = errors.New("not a whole gzip file")
	ErrAnswer  = errors.New("unusable answer")
	ErrSilent  = errors.New("the server went silent")
)

// File is what is wanted, and from where.
type File struct {
	URL    string        // http:, https: or file:
	SHA256 string        // of the unpacked file, in hexadecimal
	Dir    string        // where files are kept; "" keeps them in memory
	Limit  int64         // bytes, of the transfer and of the unpacked file
	Silent time.Duration // for how long the server may send nothing
}

// Result is a file that has the digest.
type Result struct {
	*os.File
	From Origin
	Size int64
}

// Origin tells where a file came from.
type Origin string

// The origins.
const (
	Cached     Origin = "cache"
	Downloaded Origin = "download"
	Local      Origin = "file"
)

// Downloader fetches one file. It is not safe for concurrent use.
type Downloader struct {
	file   File
	url    *url.URL
	client *http.Client
	part   *part // of an unfinished transfer
}

// New checks what is wanted. Close the Downloader when the file was fetched.
func New(file File) (*Downloader, error) {
	u, err := url.Parse(file.URL)
	if err != nil {
		return nil, fmt.Errorf("not a URL: %w", err)
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && localPath(u) != "":
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return nil, fmt.Errorf("want http://…, https://… or file:path")
	}
	if sum, err := hex.DecodeString(file.SHA256); err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("want a SHA-256 of 64 hexadecimal digits")
	}
	file.SHA256 = strings.ToLower(file.SHA256)
	return &Downloader{file: file, url: u, client: newClient(file.Silent)}, nil
}

// localPath is the path of a file: URL; file:data/x is relative.
func localPath(u *url.URL) string {
	if u.Opaque != "" {
		p, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return ""
		}
		return p
	}
	return u.Path
}

func (d *Downloader) packed() bool { return path.Ext(localPath(d.url)) == ".gz" }

// Close releases connections and an unfinished part, which stays on disk.
func (d *Downloader) Close() {
	d.client.CloseIdleConnections()
	d.part.close()
	d.part = nil
}

// Fetch returns the file, open. After an error it may be called again and goes on
// where it was.
func (d *Downloader) Fetch(ctx context.Context) (*Result, error) {
	if d.url.Scheme == "file" && !d.packed() {
		return d.open(localPath(d.url), Local)
	}
	if cached, err := d.cached(); err == nil {
		return cached, nil
	}
	if d.url.Scheme == "file" {
		f, err := os.Open(localPath(d.url))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return d.accept(f, Local)
	}
	if err := d.transfer(ctx); err != nil {
		return nil, err
	}
	result, err := d.accept(d.part.file, Downloaded)
	if err == nil || errors.Is(err, ErrDigest) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooBig) {
		d.part.discard() // used, or worth nothing
		d.part = nil
	}
	return result, err
}

// cached opens the file that an earlier run left; one that is damaged is removed.
func (d *Downloader) cached() (*Result, error) {
	if d.file.Dir == "" {
		return nil, os.ErrNotExist
	}
	result, err := d.open(d.final(), Cached)
	if errors.Is(err, ErrDigest) {
		return nil, errors.Join(err, os.Remove(d.final()))
	}
	return result, err
}

// open opens a file and checks its digest.
func (d *Downloader) open(name string, from Origin) (*Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(f, d.file.Limit+1))
	if err == nil {
		err = d.verdict(size, sum.Sum(nil))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	return &Result{File: f, From: from, Size: size}, nil
}

func (d *Downloader) verdict(size int64, sum []byte) error {
	if size > d.file.Limit {
		return fmt.Errorf("%w of %d bytes", ErrTooBig, d.file.Limit)
	}
	if got := hex.EncodeToString(sum); got != d.file.SHA256 {
		return fmt.Errorf("%w: want %s, got %s", ErrDigest, d.file.SHA256, got)
	}
	return nil
}

// accept unpacks what arrived into a new file, checks it and publishes it.
func (d *Downloader) accept(arrived *os.File, from Origin) (*Result, error) {
	if _, err := arrived.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	content := io.Reader(arrived)
	if d.packed() {
		z, err := gzip.NewReader(arrived)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		content = damaged{z}
	}
	out, err := d.create()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(content, d.file.Limit+1))
	if err == nil {
		err = d.verdict(size, sum.Sum(nil))
	}
	if err != nil {
		return nil, errors.Join(err, d.drop(out))
	}
	kept, err := d.publish(out)
	if err != nil {
		return nil, err
	}
	return &Result{File: kept, From: from, Size: size}, nil
}

// damaged marks the errors of unpacking, which no retry of the same bytes mends.
type damaged struct{ r io.Reader }

func (d damaged) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return n, err
}

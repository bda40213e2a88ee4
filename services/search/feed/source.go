package feed

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// open begins to read the corpus. An error that another try does not mend is one of retry.Stop.
func (f *feed) open(ctx context.Context) (io.ReadCloser, error) {
	var raw io.ReadCloser
	var err error
	name := f.cfg.Corpus
	if file, is := strings.CutPrefix(name, "file:"); is {
		raw, err = os.Open(file)
		err = retry.Stop(err)
	} else {
		raw, err = f.download(ctx)
		if u, wrong := url.Parse(name); wrong == nil {
			name = path.Base(u.Path)
		}
	}
	if err != nil || !strings.HasSuffix(name, ".gz") {
		return raw, err
	}
	unpacked, err := gzip.NewReader(raw)
	if err != nil {
		return nil, errors.Join(retry.Stop(fmt.Errorf("unpack the corpus: %w", err)), raw.Close())
	}
	return packed{unpacked, raw}, nil
}

// packed closes what it is unpacked from.
type packed struct {
	*gzip.Reader
	from io.Closer
}

func (p packed) Close() error { return errors.Join(p.Reader.Close(), p.from.Close()) }

func (f *feed) download(ctx context.Context) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.cfg.Corpus, nil)
	if err != nil {
		cancel(nil)
		return nil, retry.Stop(err)
	}
	resp, err := f.files.Do(req)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("download the corpus: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		cancel(nil)
		err := fmt.Errorf("download the corpus: status %s", resp.Status)
		if !passing(resp.StatusCode) {
			return nil, retry.Stop(err)
		}
		return nil, err
	}
	return &patient{body: resp.Body, cancel: cancel, silent: f.cfg.Silent}, nil
}

var errSilent = errors.New("the server of the corpus sends nothing")

// patient is a body whose server may be slow, but not silent. The time in which nobody reads does not count.
type patient struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	silent time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	timer := time.AfterFunc(p.silent, func() { p.cancel(errSilent) })
	defer timer.Stop()
	return p.body.Read(b)
}

func (p *patient) Close() error {
	p.cancel(nil)
	return p.body.Close()
}

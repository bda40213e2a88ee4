package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxRedirects = 5

// newClient makes a client that asks for the bytes as they are stored: with a
// transparent encoding, offsets would not be those of the file.
func newClient(silent time.Duration) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: silent}).DialContext,
			TLSHandshakeTimeout:   silent,
			ResponseHeaderTimeout: silent,
			DisableCompression:    true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d redirects", ErrAnswer, maxRedirects)
			}
			if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
				return fmt.Errorf("%w: redirect to scheme %q", ErrAnswer, req.URL.Scheme)
			}
			return nil
		},
	}
}

// transfer completes the part: it asks for what is missing and appends it.
func (d *Downloader) transfer(ctx context.Context) error {
	if d.part == nil {
		p, err := d.openPart()
		if err != nil {
			return err
		}
		d.part = p
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(d.file.Silent, func() { cancel(ErrSilent) })
	defer watchdog.Stop()

	err := d.ask(ctx, func() { watchdog.Reset(d.file.Silent) })
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrSilent) {
		return fmt.Errorf("%w for %s after %d bytes", ErrSilent, d.file.Silent, d.part.size)
	}
	return err
}

func (d *Downloader) ask(ctx context.Context, alive func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.file.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "identity")
	if d.part.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.part.size))
		if d.part.validator != "" {
			req.Header.Set("If-Range", d.part.validator)
		}
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	complete, err := d.begin(resp)
	if complete || err != nil {
		return err
	}
	return d.receive(resp, alive)
}

// begin makes the part ready for the body of an answer, or says that nothing was
// missing.
func (d *Downloader) begin(resp *http.Response) (complete bool, err error) {
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return false, fmt.Errorf("%w: the server encodes as %q though asked not to", ErrAnswer, encoding)
	}
	first, _, total, ranged := contentRange(resp.Header.Get("Content-Range"))
	switch {
	case resp.StatusCode == http.StatusOK:
		return false, d.restart(resp) // the first time, another file, or ranges are ignored
	case resp.StatusCode == http.StatusPartialContent && ranged && first == d.part.size:
		if total > d.file.Limit {
			return false, errors.Join(fmt.Errorf("%w: %d bytes", ErrTooBig, total), d.part.reset())
		}
		return false, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && d.part.size > 0 && total == d.part.size:
		return true, nil
	case resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return false, errors.Join(fmt.Errorf("%w: status %d, Content-Range %q after byte %d", ErrAnswer, resp.StatusCode, resp.Header.Get("Content-Range"), d.part.size), d.part.reset())
	}
	return false, fmt.Errorf("%w: status %d", ErrAnswer, resp.StatusCode)
}

// restart begins the part anew and remembers by what a later request can make
// sure that the file is still the same.
func (d *Downloader) restart(resp *http.Response) error {
	if resp.ContentLength > d.file.Limit {
		return fmt.Errorf("%w: %d bytes", ErrTooBig, resp.ContentLength)
	}
	if err := d.part.reset(); err != nil {
		return err
	}
	if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		d.part.validator = tag // a weak one does not serve If-Range (RFC 9110, 13.1.5)
	}
	return nil
}

// receive appends the body to the part. What arrived before an error stays.
func (d *Downloader) receive(resp *http.Response, alive func()) error {
	body := io.LimitReader(resp.Body, d.file.Limit+1-d.part.size)
	if err := d.part.append(body, alive); err != nil {
		return fmt.Errorf("after %d bytes: %w", d.part.size, err)
	}
	if d.part.size > d.file.Limit {
		return errors.Join(fmt.Errorf("%w of %d bytes", ErrTooBig, d.file.Limit), d.part.reset())
	}
	return nil
}

// contentRange reads "bytes first-last/total" or "bytes */total".
func contentRange(value string) (first, last, total int64, ok bool) {
	rest, isBytes := strings.CutPrefix(value, "bytes ")
	span, length, both := strings.Cut(rest, "/")
	if !isBytes || !both {
		return 0, 0, 0, false
	}
	total = -1 // unknown: "*"
	if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
		total = n
	} else if length != "*" {
		return 0, 0, 0, false
	}
	if span == "*" {
		return 0, 0, total, false
	}
	from, to, both := strings.Cut(span, "-")
	first, errFirst := strconv.ParseInt(from, 10, 64)
	last, errLast := strconv.ParseInt(to, 10, 64)
	if !both || errFirst != nil || errLast != nil || first < 0 || last < first || total >= 0 && last >= total {
		return 0, 0, 0, false
	}
	return first, last, total, true
}

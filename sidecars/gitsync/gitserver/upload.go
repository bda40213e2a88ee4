package gitserver

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/labstack/echo/v4"
)

// The bounds of a request for objects.
const (
	maxRequest = 1 << 20 // bytes, also when they were compressed
	maxHashes  = 10_000  // wants, haves and shallows, each
)

// demand is a request of upload-pack.
type demand struct {
	wants, haves, shallow []plumbing.Hash
	depth                 int  // commits; 0: all
	done                  bool // the client wants the pack now
}

// upload answers with a pack of what the client wants and does not have.
func (s *server) upload(c echo.Context) error {
	select {
	case s.fetches <- struct{}{}:
		defer func() { <-s.fetches }()
	default:
		return errBusy
	}
	body, err := unzipped(c.Request())
	if err != nil {
		return errRequest
	}
	d, err := parseDemand(io.LimitReader(body, maxRequest))
	if err != nil {
		return errRequest
	}
	repository := open(s.dir)
	p, err := plan(c.Request().Context(), repository, d)
	if errors.Is(err, errUnknown) {
		return errRequest
	}
	if err != nil {
		return fmt.Errorf("find objects: %w", err)
	}
	c.Response().Header().Set("Content-Type", "application/x-git-upload-pack-result")
	c.Response().Header().Set("Cache-Control", "no-cache")
	if err := answer(c.Response(), d, p, repository); err != nil {
		// The status is sent; a pack that breaks off is seen by its missing end.
		s.log.Warn("fetch broken off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// unzipped is the body: git compresses long requests.
func unzipped(r *http.Request) (io.Reader, error) {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		return gzip.NewReader(r.Body)
	}
	return nil, errors.New("unknown coding")
}

// parseDemand reads wants and where the client's history ends, a flush, and then
// what it has; see gitprotocol-pack(5).
func parseDemand(body io.Reader) (demand, error) {
	var d demand
	req := packp.NewUploadRequest()
	if err := req.Decode(body); err != nil {
		return d, err
	}
	d.wants, d.shallow = req.Wants, req.Shallows
	depth, ok := req.Depth.(packp.DepthCommits)
	if !ok || depth < 0 {
		return d, errors.New("a depth that is not offered")
	}
	d.depth = int(depth)
	lines := pktline.NewScanner(body)
	for lines.Scan() && !d.done {
		switch line := string(lines.Bytes()); {
		case line == "": // a flush: the client waits for an answer
		case line == "done\n" || line == "done":
			d.done = true
		case len(line) >= 45 && line[:5] == "have " && plumbing.IsHash(line[5:45]):
			d.haves = append(d.haves, plumbing.NewHash(line[5:45]))
		default:
			return d, errors.New("neither have nor done")
		}
	}
	if len(d.wants) > maxHashes || len(d.haves) > maxHashes || len(d.shallow) > maxHashes {
		return d, errors.New("too many hashes")
	}
	return d, lines.Err()
}

// answer says where the history ends, what is common, and, when the client is done,
// sends the pack.
func answer(w io.Writer, d demand, p packPlan, objects storer.EncodedObjectStorer) error {
	if d.depth > 0 {
		if err := p.ends.Encode(w); err != nil {
			return err
		}
		if !d.done && len(d.haves) == 0 {
			return nil // the client asked for the ends alone, first
		}
	}
	said := packp.ServerResponse{}
	if len(p.common) > 0 {
		said.ACKs = p.common[:1] // one is told of, in this version of the protocol
	}
	if err := said.Encode(w, false); err != nil {
		return err
	}
	if !d.done {
		return nil
	}
	_, err := packfile.NewEncoder(w, objects, false).Encode(p.objects, 0)
	return err
}

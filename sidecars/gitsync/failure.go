package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/source"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// The outcomes of an attempt; failures are among them.
const (
	outcomeChanged   = "changed"
	outcomeUnchanged = "unchanged"

	unreachable  = "unreachable"  // the server, or it was too slow
	unauthorised = "unauthorised" // it wants other credentials
	missing      = "missing"      // no repository there, nothing in it, or no such reference
	refused      = "refused"      // the revision is not safe, or over a bound
	broken       = "broken"       // everything else: a full disk, a server that makes no sense
)

// outcomes is all of them, for the metric.
var outcomes = []string{outcomeChanged, outcomeUnchanged, unreachable, unauthorised, missing, refused, broken}

// failure is why an attempt failed: kind and reason may be shown, err is logged.
type failure struct {
	kind   string
	reason string
	err    error
}

func (f *failure) Error() string {
	if f.err == nil {
		return f.reason
	}
	return f.reason + ": " + f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// explain is the one place where an error of below gets its kind and the words
// for it. Nothing of the error itself is in them but what package tree says.
func explain(err error, cfg Config) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	f := &failure{err: err}
	err = opened(err)
	var unsafe *tree.Refusal
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &unsafe):
		f.kind, f.reason = refused, unsafe.Error()
	case errors.Is(err, httpclient.ErrBodyTooLarge):
		f.kind, f.reason = refused, fmt.Sprintf("the server sends more than GITSYNC_MAX_FETCH (%s)", cfg.MaxFetch)
	case errors.Is(err, source.ErrNoReference):
		f.kind, f.reason = missing, fmt.Sprintf("the repository has no branch, tag or commit %s, which GITSYNC_REF names", cfg.Ref)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		f.kind, f.reason = missing, "the repository is empty: nothing was pushed to it yet"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		f.kind, f.reason = missing, "there is no repository at GITSYNC_REPOSITORY"
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		f.kind, f.reason = unauthorised, "the server does not accept GITSYNC_USERNAME with the content of GITSYNC_PASSWORD_FILE"
		if cfg.PasswordFile == "" {
			f.reason = "the server wants credentials: set GITSYNC_PASSWORD_FILE"
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.kind, f.reason = broken, "there is no space left below GITSYNC_ROOT"
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		f.kind, f.reason = broken, "files below GITSYNC_ROOT cannot be written or read"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.kind, f.reason = unreachable, "the git server cannot be reached: it refuses the connection"
	case errors.As(err, &dns):
		f.kind, f.reason = unreachable, "the git server cannot be reached: its name does not resolve"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.kind, f.reason = unreachable, fmt.Sprintf("the git server was too slow: GITSYNC_TIMEOUT is %s", cfg.Timeout)
		if cfg.Once && cfg.OnceTimeout < cfg.Timeout {
			f.reason = fmt.Sprintf("the git server was too slow: GITSYNC_ONCE_TIMEOUT is %s", cfg.OnceTimeout)
		}
	case isNetwork(err):
		f.kind, f.reason = unreachable, "the connection to the git server was lost or could not be made"
	default:
		f.kind, f.reason = broken, "the git server's answer could not be used; the log says more"
	}
	return f
}

// isNetwork tells a failure of the network or of a server that has trouble.
func isNetwork(err error) bool {
	var op *net.OpError
	var status *githttp.Err
	return errors.As(err, &op) || errors.As(err, &status) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// opened takes an error out of go-git's wrapper, which has no Unwrap.
func opened(err error) error {
	var wrapped *plumbing.UnexpectedError
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

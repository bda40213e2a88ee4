package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// leaves makes calls to leaves. Which replica is called, and whether another one is, is package scatter's affair: the client makes one
// attempt, and has one set of connections for all of them.
type leaves struct{ client *http.Client }

// errGone is the answer of a leaf that does not keep the epoch any more. Another replica may.
var errGone = errors.New("the epoch is gone")

func newLeaves(cfg *Config, metrics prometheus.Registerer) (*leaves, error) {
	once := retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}
	client, err := httpclient.New(httpclient.Options{Name: "searchleaf", Timeout: -1, HeaderTimeout: -1, DialTimeout: cfg.Connect, MaxBody: int64(cfg.AnswerLimit), MaxConns: cfg.Connections,
		Retry: once, Metrics: metrics})
	if err != nil {
		return nil, err
	}
	return &leaves{client}, nil
}

// close closes the connections, none of which is in use.
func (l *leaves) close() { l.client.CloseIdleConnections() }

// post asks a leaf and reads its answer as JSON.
func (l *leaves) post(ctx context.Context, replica *upstream.Endpoint, path string, request, answer any) error {
	return l.exchange(ctx, replica, http.MethodPost, path, request, answer)
}

// get asks a leaf without a body.
func (l *leaves) get(ctx context.Context, replica *upstream.Endpoint, path string, answer any) error {
	return l.exchange(ctx, replica, http.MethodGet, path, nil, answer)
}

func (l *leaves) exchange(ctx context.Context, replica *upstream.Endpoint, method, path string, request, answer any) error {
	body, err := l.call(ctx, replica, method, path, request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return nonsense(fmt.Errorf("read answer of %s: %w", path, err))
	}
	return nil
}

// call asks a leaf and reads the whole answer, so that its connection can be used again.
func (l *leaves) call(ctx context.Context, replica *upstream.Endpoint, method, path string, request any) ([]byte, error) {
	var body io.Reader
	if request != nil {
		text, err := json.Marshal(request)
		if err != nil {
			return nil, fmt.Errorf("write request %s: %w", path, err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+replica.Addr()+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request %s: %w", path, err)
	}
	if request != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := l.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response)
	}
	if response.Header.Get(wire.EndedHeader) != "" && wantsOpen(ctx) {
		return nil, &scatter.Failure{Reason: scatter.Refused, Outcome: upstream.Canceled, Final: true, Err: errEnded}
	}
	text, err := io.ReadAll(response.Body)
	if errors.Is(err, httpclient.ErrBodyTooLarge) {
		return nil, nonsense(err)
	}
	return text, err
}

// nonsense is an answer that no leaf gives.
func nonsense(err error) error {
	return &scatter.Failure{Reason: scatter.Failed, Outcome: upstream.Broken, Err: err}
}

// refusal is what an answer means that is none.
func refusal(response *http.Response) error {
	var p struct{ Type, Detail string }
	text, _ := io.ReadAll(io.LimitReader(response.Body, 8<<10)) // what cannot be read has no type
	_ = json.Unmarshal(text, &p)
	name := strings.TrimPrefix(p.Type, problem.Base)
	f := &scatter.Failure{Reason: scatter.Failed, Outcome: upstream.OfStatus(response.StatusCode), Err: fmt.Errorf("status %d %s: %s", response.StatusCode, name, p.Detail)}
	switch response.StatusCode {
	case http.StatusServiceUnavailable:
		// These are answers of a leaf that does as it should: it sheds load, it lags behind the log, or it reads its shard. That is no reason to
		// take it out, as its share would only fall on the others; another replica is asked.
		switch name {
		case "overloaded":
			f.Reason, f.Outcome = scatter.Overloaded, upstream.Canceled
		case "epoch-not-reached":
			f.Reason, f.Outcome = scatter.TimedOut, upstream.Canceled
		case "not-caught-up":
			f.Reason, f.Outcome = scatter.NoReplica, upstream.Canceled
		}
	case http.StatusGatewayTimeout:
		f.Reason, f.Outcome = scatter.TimedOut, upstream.Timeout
	case http.StatusGone:
		f.Reason, f.Err = scatter.Refused, errGone
	case http.StatusNotFound:
		f.Reason, f.Final, f.Err = scatter.Refused, true, errNotFound
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		f.Reason, f.Final = scatter.Refused, true
	}
	return f
}

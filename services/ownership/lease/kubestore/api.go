package kubestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// What the API server says that matters here.
var (
	errNotFound = errors.New("there is no such Lease")
	errConflict = errors.New("there is a newer version of the Lease")
)

// maxAnswer bounds an object.
const maxAnswer = 256 << 10

// API is where Leases are, and as whom they are asked for.
type API struct {
	Client    *http.Client // without a bound on the time of a call: every call here has its own
	URL       string       // as in https://kubernetes.default.svc
	Namespace string
	TokenFile string // "" for none
	Timeout   time.Duration
}

func (a API) path(name string) string {
	path := a.URL + "/apis/coordination.k8s.io/v1/namespaces/" + url.PathEscape(a.Namespace) + "/leases"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

func (a API) get(ctx context.Context, name string) (object, error) {
	return a.call(ctx, http.MethodGet, a.path(name), nil)
}

func (a API) create(ctx context.Context, o object) (object, error) {
	return a.call(ctx, http.MethodPost, a.path(""), &o)
}

func (a API) update(ctx context.Context, name string, o object) (object, error) {
	return a.call(ctx, http.MethodPut, a.path(name), &o)
}

func (a API) call(ctx context.Context, method, address string, body *object) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	resp, err := a.do(ctx, method, address, body)
	if err != nil {
		return object{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return object{}, fmt.Errorf("read the Lease: %w", err)
	}
	return parse(text)
}

// do makes a request whose answer is a success.
func (a API) do(ctx context.Context, method, address string, body *object) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the Lease: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("ask for the Lease: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.TokenFile != "" {
		token, err := watch.Read(a.TokenFile) // again and again: it is replaced before it expires
		if err != nil {
			return nil, fmt.Errorf("read the token of the service account: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := a.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask for the Lease: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, errNotFound
	case http.StatusConflict:
		return nil, errConflict
	}
	return nil, fmt.Errorf("ask for the Lease: %s: %s", resp.Status, reason(resp.Body))
}

// reason reads the message of a Status.
func reason(body io.Reader) string {
	var s struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10)) // what there is of it
	if json.Unmarshal(text, &s) != nil {
		return "no Status"
	}
	return s.Message
}

// An event of a watch. The object may be nil: a bookmark, or an error such as that
// the version is too old.
type event struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// watch tells of each change of a Lease after a version ("" means from now on, beginning with what there is),
// until told returns false, ctx ends, or the server ends the watch.
func (a API) watch(ctx context.Context, name, version string, told func(event) bool) error {
	query := url.Values{"watch": {"true"}, "fieldSelector": {"metadata.name=" + name}, "timeoutSeconds": {"30"}}
	if version != "" {
		query.Set("resourceVersion", version)
	}
	resp, err := a.do(ctx, http.MethodGet, a.path("")+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	events := json.NewDecoder(io.LimitReader(resp.Body, 16<<20))
	for {
		var e event
		if err := events.Decode(&e); err != nil {
			return err // io.EOF, mostly
		}
		if !told(e) {
			return nil
		}
	}
}

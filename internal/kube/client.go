package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// An Account says where the API server is and as whom it is asked.
type Account struct {
	URL       string        // as CheckURL wants it
	Dir       string        // folder with token, ca.crt and namespace of the service account
	Namespace string        // "" for that of the service account
	Timeout   time.Duration // of one call, with what it waits to be repeated

	Metrics prometheus.Registerer // nil: none
}

// CheckURL tells what is wrong with the URL of an API server.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
		return errors.New("want a URL such as https://kubernetes.default.svc")
	}
	return nil
}

// A Client makes calls to an API server. Open makes one. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	roots     *certs.Roots
	url       string
	namespace string
	token     string // file
	timeout   time.Duration
}

// pingAfter is how long a connection may be silent. Leases last for some seconds: a dead connection must be noticed in as many.
const pingAfter = 2 * time.Second

// maxObject bounds an object. etcd, where they are kept, takes 1.5 MiB.
const maxObject = 2 << 20

// Open returns a client. That the server cannot be reached now is no error; that the files of the account are missing is one.
func Open(a Account) (*Client, error) {
	if err := CheckURL(a.URL); err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	roots, err := certs.OpenRoots(filepath.Join(a.Dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("authorities of the API server: %w", err)
	}
	if a.Namespace == "" {
		text, err := watch.Read(filepath.Join(a.Dir, "namespace"))
		if err != nil {
			return nil, fmt.Errorf("namespace of the service account: %w", err)
		}
		a.Namespace = strings.TrimSpace(string(text))
	}
	client, err := httpclient.New(httpclient.Options{
		Name: "kubernetes", Timeout: -1, MaxBody: -1, // a watch lasts; every call here has its own bounds
		HeaderTimeout: a.Timeout, PingAfter: pingAfter, TLS: roots.Client(u.Hostname()), Metrics: a.Metrics,
		Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}, // what may be repeated is known here
	})
	if err != nil {
		return nil, err
	}
	return &Client{http: client, roots: roots, url: a.URL, namespace: a.Namespace, token: filepath.Join(a.Dir, "token"), timeout: a.Timeout}, nil
}

// Follow trusts the authorities of ca.crt as they change, until ctx ends.
func (c *Client) Follow(ctx context.Context, log *slog.Logger) { c.roots.Watch(ctx, log) }

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Namespace is that of the objects.
func (c *Client) Namespace() string { return c.namespace }

// Path is that of a collection in the namespace, of an object of it, or of something below that: Path("apps/v1", "deployments", "cache", "scale").
func (c *Client) Path(groupVersion, resource string, names ...string) string {
	path := "/apis/" + groupVersion + "/namespaces/" + url.PathEscape(c.namespace) + "/" + resource
	for _, name := range names {
		path += "/" + url.PathEscape(name)
	}
	return path
}

// Get reads an object.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

// Create adds an object to a collection, and reads what became of it.
func (c *Client) Create(ctx context.Context, path string, object, into any) error {
	return c.call(ctx, http.MethodPost, path, object, into)
}

// Update writes an object, on the condition that its resourceVersion is still the newest, and reads what became of it. into may be nil.
func (c *Client) Update(ctx context.Context, path string, object, into any) error {
	return c.call(ctx, http.MethodPut, path, object, into)
}

func (c *Client) call(ctx context.Context, method, path string, object, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body []byte
	if object != nil {
		var err error
		if body, err = json.Marshal(object); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxObject+1))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case len(text) > maxObject:
		return fmt.Errorf("read %s: %w: more than %d bytes", path, ErrTooLarge, maxObject)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// attempts bounds how often a request is sent.
const attempts = 4

// do makes a request whose answer is a success. It sends it again when the server surely has done nothing: it wants it
// later, or knew the token no more.
func (c *Client) do(ctx context.Context, method, pathAndQuery string, body []byte) (*http.Response, error) {
	path, _, _ := strings.Cut(pathAndQuery, "?")
	before := ""
	for n := 1; ; n++ {
		token, err := c.readToken()
		if err != nil {
			return nil, err
		}
		resp, err := c.send(ctx, method, c.url+pathAndQuery, token, body)
		if err != nil {
			return nil, fmt.Errorf("ask for %s: %w", path, err)
		}
		if resp.StatusCode/100 == 2 {
			return resp, nil
		}
		status := statusError(resp)
		if n == attempts || !c.again(ctx, status, before, token) {
			return nil, fmt.Errorf("ask for %s: %w", path, status)
		}
		before = token
	}
}

// again tells whether to send a request once more, and waits until then.
func (c *Client) again(ctx context.Context, status *StatusError, before, sent string) bool {
	switch {
	case status.Code == http.StatusUnauthorized:
		now, err := c.readToken() // it may have been replaced since it was sent
		return err == nil && now != sent && now != before
	case status.Code == http.StatusTooManyRequests && status.RetryAfter > 0:
		wait := status.RetryAfter + rand.N(status.RetryAfter/4+1) // all who were told so must not come together
		if deadline, bound := ctx.Deadline(); bound && time.Until(deadline) <= wait {
			return false
		}
		return retry.Sleep(ctx, wait) == nil
	}
	return false
}

func (c *Client) readToken() (string, error) {
	token, err := watch.Read(c.token)
	if err != nil {
		return "", fmt.Errorf("token of the service account: %w", err)
	}
	return strings.TrimSpace(string(token)), nil
}

func (c *Client) send(ctx context.Context, method, address, token string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return c.http.Do(r)
}

package osb

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

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Version of the API that is spoken.
const Version = "2.17"

// maxAnswer bounds an answer; catalogues are large.
const maxAnswer = 2 << 20

// Client speaks with one service broker.
type Client struct {
	URL            string // of the broker, without /v2
	User, Password string
	HTTP           *http.Client
}

// Catalog is what the broker offers.
type Catalog struct {
	Services []Service `json:"services"`
}

// Service is an offering.
type Service struct {
	ID                   string `json:"id"`
	Name                 string `json:"name"`
	Plans                []Plan `json:"plans"`
	BindingsRetrievable  bool   `json:"bindings_retrievable"`
	InstancesRetrievable bool   `json:"instances_retrievable"`
}

// Plan is a size of an offering.
type Plan struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	MaximumDuration int    `json:"maximum_polling_duration"` // seconds
}

// An Answer is what the broker said.
type Answer struct {
	Status      int
	RetryAfter  time.Duration
	State       string         `json:"state"`       // of an operation
	Operation   string         `json:"operation"`   // to be sent back when asking for it
	Credentials map[string]any `json:"credentials"` // of a binding
	Error       string         `json:"error"`       // a code of the API
	Description string         `json:"description"` // for people
}

// asks for one resource; body may be nil. Any status is an answer.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body any) (Answer, error) {
	var a Answer
	raw, resp, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return a, err
	}
	a.Status = resp.StatusCode
	a.RetryAfter, _ = retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	if err := json.Unmarshal(raw, &a); err != nil && a.Status < 300 {
		return a, fmt.Errorf("%s %s: the answer is no JSON object", method, path)
	}
	return a, nil
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) ([]byte, *http.Response, error) {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		payload = bytes.NewReader(text)
	}
	address := strings.TrimSuffix(c.URL, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, payload)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: the address is not valid", method, path)
	}
	req.Header.Set("X-Broker-API-Version", Version)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.User != "" {
		req.SetBasicAuth(c.User, c.Password)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		var inner *url.Error // whose text has the address, maybe with a password
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read answer: %w", method, path, err)
	}
	if len(raw) > maxAnswer {
		return nil, nil, fmt.Errorf("%s %s: the answer is larger than %d bytes", method, path, maxAnswer)
	}
	return raw, resp, nil
}

// Find looks a service and a plan up, by name or id.
func (c *Client) Find(ctx context.Context, service, plan string) (Service, Plan, error) {
	raw, resp, err := c.send(ctx, http.MethodGet, "/v2/catalog", nil, nil)
	if err != nil {
		return Service{}, Plan{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return Service{}, Plan{}, refused("read the catalogue", Answer{Status: resp.StatusCode})
	}
	var catalog Catalog
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return Service{}, Plan{}, errors.New("read the catalogue: it is no JSON object")
	}
	var offered []string
	for _, s := range catalog.Services {
		offered = append(offered, s.Name)
		if s.Name != service && s.ID != service {
			continue
		}
		for _, p := range s.Plans {
			if p.Name == plan || p.ID == plan || plan == "" && len(s.Plans) == 1 {
				return s, p, nil
			}
		}
		return Service{}, Plan{}, permanent(fmt.Errorf("service %q has no plan %q", service, plan))
	}
	return Service{}, Plan{}, permanent(fmt.Errorf("the broker offers no service %q, but %.200q", service, offered))
}

// permanent marks an error that asking again does not mend.
func permanent(err error) error { return &Error{err} }

// Error is one that only an operator can mend.
type Error struct{ error }

func (e *Error) Unwrap() error { return e.error }

// refused is the error of an answer that is no success.
func refused(doing string, a Answer) error {
	detail := strings.TrimSpace(a.Error + " " + a.Description)
	err := fmt.Errorf("%s: the broker answers %d %.300s", doing, a.Status, detail)
	switch {
	case a.Status == http.StatusUnprocessableEntity && a.Error == "ConcurrencyError", a.Status == http.StatusTooManyRequests,
		a.Status == http.StatusRequestTimeout, a.Status == http.StatusNotFound, a.Status == http.StatusGone, a.Status >= 500:
		return err
	}
	return permanent(err)
}

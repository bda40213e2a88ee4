package dictionary

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Config is where the dictionary is. A program has it under its own prefix:
// envPrefix:"LOOKUPS_".
type Config struct {
	Address    upstream.Address `env:"DICTIONARY,required" doc:"the dictionary: host:port[/adminport],…, dns:name:port[/adminport] or file:path"`
	TLS        process.Switch   `env:"DICTIONARY_TLS" envDefault:"off" doc:"on: the dictionary speaks TLS"`
	CAFile     string           `env:"DICTIONARY_CA_FILE" doc:"PEM file, watched, of the authorities that certify it; the system's when empty"`
	ServerName string           `env:"DICTIONARY_SERVER_NAME" envDefault:"dictionary" doc:"name in its certificate"`
}

// Options describe a client. All come from the configuration of the program.
type Options struct {
	Config
	Intervals upstream.Intervals
	Health    upstream.Health
	Retry     retry.Settings
}

// A Client asks the dictionary. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base string // URL of its words
	sent atomic.Uint64
}

// Open returns a client that works as long as the process.
func Open(p *process.Process, o Options) (*Client, error) {
	roots, err := certs.OpenRoots(o.CAFile)
	if err != nil {
		return nil, err
	}
	scheme, secure := "http", (*tls.Config)(nil)
	if o.TLS {
		scheme, secure = "https", roots.Client(o.ServerName)
	}
	pool, err := upstream.New(upstream.Options{Name: "dictionary", Address: o.Address, Intervals: o.Intervals, Health: o.Health, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{Name: "dictionary", Pool: pool, TLS: secure, Retry: o.Retry, Metrics: p.Metrics})
	if err != nil {
		return nil, err
	}
	p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	p.Go("dictionary", func(ctx context.Context) error {
		defer client.CloseIdleConnections()
		return pool.Run(ctx)
	})
	return &Client{http: client, base: scheme + "://" + o.ServerName + "/v1/words/"}, nil
}

// Why there is no entry.
var (
	NotFound = problem.New(http.StatusNotFound, "word-not-found", "the dictionary does not have this word")
	Failed   = problem.New(http.StatusBadGateway, "upstream-failed", "the dictionary gave no valid answer")
)

// Requests is how many requests were sent so far: one for each attempt, and none
// for a word that was given up before.
func (c *Client) Requests() uint64 { return c.sent.Load() }

// Entry returns what the dictionary knows of a word, as JSON in one line. The word
// is spelled as by Spell. The error is NotFound, or wraps Failed.
func (c *Client) Entry(ctx context.Context, word string) ([]byte, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Add(1) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+url.PathEscape(word), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Failed, err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Failed, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusPermanentRedirect: // another spelling is another word
		return nil, NotFound
	default:
		return nil, fmt.Errorf("%w: status %d", Failed, answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body) // bounded by the client
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Failed, err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, fmt.Errorf("%w: %w", Failed, err)
	}
	return line.Bytes(), nil
}

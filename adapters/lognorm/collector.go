package lognorm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// exporter returns what sends records by OTLP, or nil where the standard
// variables name no collector for logs.
func exporter(p *process.Process, cfg *Config) (*deliver.Exporter, error) {
	get := func(name string) string { // the variable of the signal, else the common one
		if v := cfg.Getenv("OTEL_EXPORTER_OTLP_LOGS_" + name); v != "" {
			return v
		}
		return cfg.Getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	address := cfg.Getenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
	if address == "" {
		if base := cfg.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); base != "" {
			address = strings.TrimSuffix(base, "/") + "/v1/logs"
		}
	}
	if address == "" || cfg.Getenv("OTEL_LOGS_EXPORTER") == "none" || cfg.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: want an http or https URL")
	}
	header, err := headers(get("HEADERS"))
	if err != nil {
		return nil, err
	}
	timeout := 10 * time.Second
	if ms, err := strconv.Atoi(get("TIMEOUT")); err == nil && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	roots, err := trust(p, get("CERTIFICATE"))
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
	}
	client, err := httpclient.New(httpclient.Options{
		Name: "collector", Timeout: timeout, HeaderTimeout: timeout, MaxConns: 1, TLS: roots.Client(u.Hostname()),
		Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}, Metrics: p.Metrics,
	})
	if err != nil {
		return nil, err
	}
	return &deliver.Exporter{Client: client, URL: u.String(), Header: header, Patience: cfg.OTLPGiveUp, Hurry: p.DrainTimeout(), Log: p.Log}, nil
}

// trust opens the authorities of a file and keeps up with it.
func trust(p *process.Process, file string) (*certs.Roots, error) {
	roots, err := certs.OpenRoots(file)
	if err != nil {
		return nil, err
	}
	p.Go("roots", func(ctx context.Context) error {
		roots.Watch(ctx, p.Log)
		return nil
	})
	return roots, nil
}

// headers reads key=value,key=value with percent-encoded values. No value is
// shown: they are keys of collectors.
func headers(text string) (http.Header, error) {
	h := http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || err != nil || name == "" {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: want name=value,name=value with percent-encoded values")
		}
		h.Set(name, value)
	}
	return h, nil
}

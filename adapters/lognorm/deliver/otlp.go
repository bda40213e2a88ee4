package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Exporter sends records to a collector by OTLP over HTTP, as JSON.
type Exporter struct {
	Client   *http.Client // bounds each request
	URL      string       // with its path
	Header   http.Header
	Patience time.Duration // how long a batch is tried again; 0: until it is taken
	Hurry    time.Duration // how long a request may take once the process is to end
	Log      *slog.Logger
	// Lost is told of records that the collector does not get. It is called by the
	// writer's goroutine.
	Lost func(source string, records int, why string)

	away bool // the last request failed: told once
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// errUndelivered says that the process had to end before the collector took a
// batch.
var errUndelivered = errors.New("the collector did not take the last records: they will be read again")

// send sends a batch, and tries again while the collector is away. It fails only
// when ctx is done: the batch then counts as not delivered.
func (x *Exporter) send(ctx context.Context, b *Batch) error {
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 5 * time.Second}
	began := time.Now()
	for n := 0; ; n++ {
		rejected, wait, err := x.post(ctx, b.Request)
		var final refusal
		switch {
		case err == nil:
			x.back()
			if rejected > 0 {
				x.Lost(b.Source, min(rejected, b.Counts.Records), "rejected")
			}
			return nil
		case errors.As(err, &final):
			x.Log.Error("the collector refuses records", "error", err, "records", b.Counts.Records)
			x.Lost(b.Source, b.Counts.Records, "refused")
			return nil
		case ctx.Err() != nil:
			return errUndelivered
		}
		x.gone(err)
		if x.Patience > 0 && time.Since(began) >= x.Patience {
			x.Lost(b.Source, b.Counts.Records, "collector away")
			return nil
		}
		if retry.Sleep(ctx, max(wait, backoff.Delay(n))) != nil {
			return errUndelivered
		}
	}
}

func (x *Exporter) gone(err error) {
	if !x.away {
		x.Log.Warn("the collector does not take records: trying again", "error", err)
	}
	x.away = true
}

func (x *Exporter) back() {
	if x.away {
		x.Log.Info("the collector takes records again")
	}
	x.away = false
}

// refusal is an answer that stays the same however often one asks.
type refusal struct{ status string }

func (r refusal) Error() string { return "answer " + r.status }

// post sends a request once. The wait is what the collector asks for.
func (x *Exporter) post(ctx context.Context, body []byte) (rejected int, wait time.Duration, err error) {
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(x.Hurry, cancel) })()
	req, err := http.NewRequestWithContext(asking, http.MethodPost, x.URL, bytes.NewReader(body))
	if err != nil {
		return 0, 0, refusal{err.Error()}
	}
	for name, values := range x.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := x.Client.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("send records: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusOK:
		return rejections(answer), 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		wait, _ = retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
		return 0, min(wait, time.Minute), errors.Join(fmt.Errorf("answer %s", resp.Status), err)
	}
	return 0, 0, refusal{resp.Status}
}

// rejections is how many records a collector says it has not taken.
func rejections(answer []byte) int {
	var a struct {
		PartialSuccess struct {
			Rejected json.RawMessage `json:"rejectedLogRecords"` // a number, or, as protocol buffers have it, a string
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return 0
	}
	n, err := strconv.Atoi(string(bytes.Trim(a.PartialSuccess.Rejected, `"`)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

package ownership

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// A worker is the ledger that keeps a shard, asked in the name of its owner.
type worker struct {
	client *http.Client
	url    string // of the shard
}

// What a worker says that an owner acts upon.
var (
	errFenced   = errors.New("the ledger has seen a newer owner")
	errSequence = errors.New("the ledger is elsewhere")
	errAbsent   = errors.New("the ledger does not have it")
	// errUnknown is for a request whose fate is not known.
	errUnknown = errors.New("the ledger did not answer")
)

// A refusal is an answer of the ledger that is the client's business.
type refusal struct {
	status       int
	name, detail string
}

func (r *refusal) Error() string { return r.name + ": " + r.detail }

func (w worker) open(ctx context.Context, c wire.Claim) (at wire.Shard, err error) {
	_, err = w.ask(ctx, c, http.MethodPost, "/open", nil, &at)
	return at, err
}

func (w worker) account(ctx context.Context, c wire.Claim, name string) (a wire.Account, err error) {
	_, err = w.ask(ctx, c, http.MethodGet, "/accounts/"+name, nil, &a)
	return a, err
}

func (w worker) entry(ctx context.Context, c wire.Claim, id string) (e wire.Entry, err error) {
	_, err = w.ask(ctx, c, http.MethodGet, "/entries/"+id, nil, &e)
	return e, err
}

func (w worker) entries(ctx context.Context, c wire.Claim, account string, most int) (all []wire.Entry, err error) {
	_, err = w.ask(ctx, c, http.MethodGet, fmt.Sprintf("/entries?account=%s&limit=%d", account, most), nil, &all)
	return all, err
}

// record records an order; replayed tells that it had been recorded before.
func (w worker) record(ctx context.Context, c wire.Claim, o wire.Order) (e wire.Entry, replayed bool, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return wire.Entry{}, false, fmt.Errorf("write the order: %w", err)
	}
	status, err := w.ask(ctx, c, http.MethodPost, "/entries", body, &e)
	if errors.Is(err, errUnknown) {
		// What has ended the request is not what became of it: the end of the lease, above all,
		// is no word of the ledger that nothing was recorded.
		err = fmt.Errorf("%w: %v", errUnknown, err)
	}
	return e, status == http.StatusOK, err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// ask makes one request. It is never repeated here: who orders entries has to know
// what became of each.
func (w worker) ask(ctx context.Context, c wire.Claim, method, path string, body []byte, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("ask the ledger: %w", err)
	}
	c.Put(r.Header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnknown, err)
	}
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, refused(resp.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return resp.StatusCode, fmt.Errorf("%w: %w", errUnknown, err)
	}
	return resp.StatusCode, nil
}

// refused reads a problem of the ledger.
func refused(status int, text []byte) error {
	var p struct{ Type, Detail string }
	if json.Unmarshal(text, &p) != nil {
		return fmt.Errorf("%w: status %d", errUnknown, status)
	}
	_, name, _ := strings.Cut(p.Type, "#")
	switch name {
	case "token-stale":
		return fmt.Errorf("%w: %s", errFenced, p.Detail)
	case "sequence-conflict":
		return errSequence
	case "entry-not-found":
		return errAbsent
	case "entry-id-reused", "ledger-full":
		return &refusal{status, name, p.Detail}
	}
	return fmt.Errorf("%w: %d %s", errUnknown, status, name)
}

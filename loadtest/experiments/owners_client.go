package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// answered is what an HTTP request came to.
type answered struct {
	status int
	body   []byte
}

func (a answered) String() string { return fmt.Sprintf("%d %.200s", a.status, a.body) }

// errUnsent is for a request that surely arrived nowhere, errUnanswered for one of which
// nobody knows.
var (
	errUnsent     = errors.New("not sent")
	errUnanswered = errors.New("not answered")
)

// maxAnswer bounds an answer of the pattern's programs.
const maxAnswer = 4 << 20

func (o *owners) do(ctx context.Context, method, url string, header http.Header, body []byte) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := o.http.Do(req)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return answered{}, fmt.Errorf("%w: %w", errUnsent, err)
	case err != nil:
		return answered{}, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answered{}, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return answered{resp.StatusCode, text}, nil
}

func (o *owners) get(ctx context.Context, url string, into any) error {
	a, err := o.do(ctx, http.MethodGet, url, nil, nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, a)
	}
	return json.Unmarshal(a.body, into)
}

// entry is a record of the ledger, as a client is told of it.
type entry struct {
	ID       string
	Version  uint64
	Owner    string
	Token    uint64
	Replayed bool // it had been recorded before
}

// became is what an entry came to.
type became int

const (
	recorded   became = iota
	notDone           // nothing was recorded, by the answer
	notKnown          // nobody knows
	neverAsked        // nobody was reached
)

// post sends an entry. What is neither recorded nor 503 is an error.
func (o *owners) post(ctx context.Context, to *rig.Proc, id, account string, amount int) (e entry, what became, err error) {
	a, err := o.do(ctx, http.MethodPost, "http://"+to.Data+"/v1/entries", nil, fmt.Appendf(nil, `{"id":%q,"account":%q,"amount":%d}`, id, account, amount))
	if what, err := judge(a, err, http.StatusCreated, http.StatusOK); what != recorded || err != nil {
		return entry{}, what, err
	}
	return e, recorded, json.Unmarshal(a.body, &e)
}

// judge tells what an answer, or none, means.
func judge(a answered, err error, good ...int) (became, error) {
	switch {
	case errors.Is(err, errUnsent):
		return neverAsked, nil
	case errors.Is(err, errUnanswered):
		return notKnown, nil
	case err != nil:
		return notKnown, err
	case slices.Contains(good, a.status):
		return recorded, nil
	case a.status != http.StatusServiceUnavailable:
		return notKnown, fmt.Errorf("answer: %s", a)
	}
	var p struct{ Type string }
	if err := json.Unmarshal(a.body, &p); err != nil {
		return notKnown, fmt.Errorf("answer: %s: %w", a, err)
	}
	if strings.HasSuffix(p.Type, "no-owner") || strings.HasSuffix(p.Type, "shard-busy") {
		return notDone, nil
	}
	return notKnown, nil
}

// list reads the entries of an account, oldest first.
func (o *owners) list(ctx context.Context, from *rig.Proc, account string) (all []entry, what became, err error) {
	a, err := o.do(ctx, http.MethodGet, "http://"+from.Data+"/v1/accounts/"+account+"/entries?limit=1000", nil, nil)
	if what, err := judge(a, err, http.StatusOK); what != recorded || err != nil {
		return nil, what, err
	}
	err = json.Unmarshal(a.body, &all)
	slices.Reverse(all)
	return all, recorded, err
}

// recorders take what clients of the ledger see: entries by account, and the tokens that
// the worker accepted by shard.
type recorders struct {
	entries, tokens *linear.Recorder
	recorded        *atomic.Int64 // entries
}

func newRecorders() recorders {
	return recorders{linear.NewRecorder(linear.Ledger), linear.NewRecorder(linear.Fence), new(atomic.Int64)}
}

// append sends an entry and records what became of it. The token of an entry is known by
// its answer only: one that was not answered tells nothing of tokens.
func (r recorders) append(ctx context.Context, o *owners, client int, to *rig.Proc, id, account string) (became, error) {
	call := r.entries.Begin(linear.Operation{Client: client, Key: account, Do: linear.Append, Entry: id})
	write := r.tokens.Begin(linear.Operation{Client: client, Key: fmt.Sprintf("shard-%d", o.shard(account)), Do: linear.Write})
	e, what, err := o.post(ctx, to, id, account, 1)
	call.Op.Version, write.Op.Token = e.Version, e.Token
	if what == recorded && !e.Replayed { // else it was accepted before this call
		write.OK()
	} else {
		write.Void()
	}
	end(call, what)
	if what == recorded {
		r.recorded.Add(1)
	}
	return what, err
}

// read reads an account and records what it saw.
func (r recorders) read(ctx context.Context, o *owners, client int, from *rig.Proc, account string) (became, error) {
	call := r.entries.Begin(linear.Operation{Client: client, Key: account, Do: linear.Read})
	all, what, err := o.list(ctx, from, account)
	for _, e := range all {
		call.Op.Entries, call.Op.Version = append(call.Op.Entries, e.ID), e.Version
	}
	end(call, what)
	return what, err
}

func end(c *linear.Call, what became) {
	switch what {
	case recorded:
		c.OK()
	case notDone:
		c.Op.Version = 0
		c.Refused()
	case notKnown:
		c.Unknown()
	case neverAsked:
		c.Void()
	}
}

// check takes both histories and checks them.
func (r recorders) check(c linear.Checker) (entries, tokens linear.History, err error) {
	if entries, err = r.entries.History(); err != nil {
		return entries, tokens, err
	}
	if tokens, err = r.tokens.History(); err != nil {
		return entries, tokens, err
	}
	return entries, tokens, errors.Join(c.Check(entries), c.Check(tokens))
}

// shard is where an account is: FNV-1a modulo the number of shards.
func (o *owners) shard(account string) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, account) // never fails, by its documentation
	return int(h.Sum32() % uint32(o.shards))
}

// accountOf finds an account of a shard whose name begins so.
func (o *owners) accountOf(name string, shard int) string {
	for i := 0; ; i++ {
		if account := fmt.Sprintf("%s.%d", name, i); o.shard(account) == shard {
			return account
		}
	}
}

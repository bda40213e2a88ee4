package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// maxBody bounds the body of an entry.
const maxBody = 4 << 10

// An Entry is what a client is told of an entry.
type Entry struct {
	ID       string      `json:"id"`
	Account  string      `json:"account"`
	Amount   int64       `json:"amount"`
	Balance  int64       `json:"balance"` // of the account, after the entry
	Version  uint64      `json:"version"` // of the account, after the entry
	Shard    int         `json:"shard"`
	Sequence uint64      `json:"sequence"` // of the entry in its shard
	Owner    string      `json:"owner"`    // who dispatched it
	Token    lease.Token `json:"token"`
	At       time.Time   `json:"at"`
	Replayed bool        `json:"replayed,omitempty"` // it had been recorded before
}

// An Account is what a client is told of an account.
type Account struct {
	wire.Account
	Shard int         `json:"shard"`
	Owner string      `json:"owner"`
	Token lease.Token `json:"token"`
}

func (s *service) post(c echo.Context) error {
	body, err := io.ReadAll(io.LimitReader(c.Request().Body, maxBody+1))
	if err != nil {
		return problem.New(http.StatusBadRequest, "body-incomplete", "the request ended before its body did")
	}
	in, err := parseIntent(body)
	if err != nil {
		return problem.New(http.StatusBadRequest, "entry-invalid", err.Error())
	}
	s.pause(c)
	return s.byOwner(c, in.Account, body, func(ctx context.Context, t *term) (int, any, error) {
		e, replayed, err := t.apply(ctx, in)
		s.metrics.entry(outcome(replayed, err))
		if replayed {
			return http.StatusOK, s.show(e, true), err
		}
		return http.StatusCreated, s.show(e, false), err
	})
}

// parseIntent reads what a client wants.
func parseIntent(body []byte) (in Intent, err error) {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if len(body) > maxBody || decoder.Decode(&in) != nil || decoder.More() {
		return Intent{}, errors.New(`want a JSON object: {"id": "8d1f", "account": "alice", "amount": 5}, with if_version where wanted`)
	}
	return in, errors.Join(wire.CheckName("id", in.ID), wire.CheckName("account", in.Account), wire.CheckAmount(in.Amount))
}

func (s *service) show(e wire.Entry, replayed bool) Entry {
	return Entry{
		ID: e.ID, Account: e.Account, Amount: e.Amount, Balance: e.Balance, Version: e.Version, Shard: shardOf(e.Account, s.cfg.Shards),
		Sequence: e.Sequence, Owner: nameOf(e.Owner), Token: e.Token, At: e.At, Replayed: replayed,
	}
}

// nameOf is the name of a holder, for people.
func nameOf(holder string) string {
	if who, err := lease.ParseIdentity(holder); err == nil {
		return who.Name
	}
	return holder
}

func (s *service) account(c echo.Context) error {
	name := c.Param("account")
	if err := wire.CheckName("account", name); err != nil {
		return problem.New(http.StatusBadRequest, "account-invalid", err.Error())
	}
	return s.byOwner(c, name, nil, func(ctx context.Context, t *term) (int, any, error) {
		a, err := t.read(ctx, name)
		return http.StatusOK, Account{Account: a, Shard: shardOf(name, s.cfg.Shards), Owner: s.me.Name, Token: t.lease.Token()}, err
	})
}

// maxListed bounds a list of entries.
const maxListed = 1000

func (s *service) entries(c echo.Context) error {
	name, most := c.Param("account"), 100
	if err := wire.CheckName("account", name); err != nil {
		return problem.New(http.StatusBadRequest, "account-invalid", err.Error())
	}
	if text := c.QueryParam("limit"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 1 || most > maxListed {
			return problem.New(http.StatusBadRequest, "limit-invalid", fmt.Sprintf("limit: want 1 to %d", maxListed))
		}
	}
	return s.byOwner(c, name, nil, func(ctx context.Context, t *term) (int, any, error) {
		found, err := t.list(ctx, name, most)
		shown := make([]Entry, 0, len(found))
		for _, e := range found {
			shown = append(shown, s.show(e, false))
		}
		return http.StatusOK, shown, err
	})
}

// outcome names what became of an entry, for the metrics.
func outcome(replayed bool, err error) string {
	var changed *errChanged
	var refused *refusal
	switch {
	case err == nil && replayed:
		return "replayed"
	case err == nil:
		return "recorded"
	case errors.Is(err, errFenced):
		return "fenced"
	case errors.Is(err, errNotOwner):
		return "not-owner"
	case errors.Is(err, errBusy):
		return "busy"
	case errors.Is(err, errFunds), errors.Is(err, errBound), errors.As(err, &changed), errors.As(err, &refused):
		return "refused"
	}
	return "unknown"
}

// explain maps what a term refuses to what a client is told, once.
func (s *service) explain(err error) error {
	var changed *errChanged
	var refused *refusal
	switch {
	case errors.Is(err, errFenced), errors.Is(err, errNotOwner):
		return notOwner()
	case errors.Is(err, errBusy):
		return problem.New(http.StatusServiceUnavailable, "shard-busy", "too many requests of this shard wait; come back later").Retry(retryAfter)
	case errors.Is(err, errFunds):
		return problem.New(http.StatusUnprocessableEntity, "balance-insufficient", "the balance of the account is less than what is to be taken")
	case errors.Is(err, errBound):
		return problem.New(http.StatusUnprocessableEntity, "balance-too-large", fmt.Sprintf("a balance is at most %d", int64(wire.MaxBalance)))
	case errors.As(err, &changed):
		return problem.New(http.StatusPreconditionFailed, "account-changed", "the account does not have the version of if_version").With("version", changed.version)
	case errors.As(err, &refused):
		return problem.New(refused.status, refused.name, refused.detail)
	}
	p := problem.New(http.StatusServiceUnavailable, "ledger-unavailable", "the ledger of the shard does not answer; whether an entry was recorded is known when it is sent again, with its id").Retry(retryAfter)
	return fmt.Errorf("%w: %w", p, err)
}

func notOwner() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, "no-owner", "nobody owns the shard at the moment, or it was just handed over; nothing was recorded; send it again").Retry(retryAfter)
}

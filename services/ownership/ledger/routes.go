package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/ledger/book"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// service answers the requests of the API.
type service struct {
	books   *shelf
	store   lease.Store // nil: the token alone is checked
	timeout time.Duration
	log     *slog.Logger
	metrics *metrics
	broken  chan error // of capacity 1
}

// routes are held together with openapi.yaml by a test.
func (s *service) routes(e *echo.Echo) {
	e.GET("/v1/shards", s.list)
	e.POST("/v1/shards/:shard/open", s.claimed(s.open))
	e.POST("/v1/shards/:shard/entries", s.claimed(s.record))
	e.GET("/v1/shards/:shard/entries", s.entries)
	e.GET("/v1/shards/:shard/entries/:id", s.claimed(s.entry))
	e.GET("/v1/shards/:shard/accounts/:account", s.claimed(s.account))
}

// list tells where every shard stands.
func (s *service) list(c echo.Context) error { return answer(c, http.StatusOK, s.books.all()) }

// A request is one in the name of an owner.
type request struct {
	echo.Context
	number int
	book   *book.Book
	claim  wire.Claim
}

// claimed reads in whose name a request is made, and has that checked by the store, if so
// configured. The book checks the token in any case.
func (s *service) claimed(handle func(request) (string, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		outcome, err := s.inNameOf(c, handle)
		s.metrics.count(outcome)
		return err
	}
}

func (s *service) inNameOf(c echo.Context, handle func(request) (string, error)) (outcome string, err error) {
	number, b, err := s.shard(c)
	if err != nil {
		return "refused", err
	}
	claim, err := wire.ParseClaim(c.Request().Header)
	if err != nil {
		return "refused", problem.New(http.StatusBadRequest, "claim-invalid", err.Error())
	}
	if err := s.doubleCheck(c.Request().Context(), number, claim); err != nil {
		return s.explain(number, claim, err)
	}
	outcome, err = handle(request{c, number, b, claim})
	if err == nil || outcome == "refused" {
		return outcome, err
	}
	return s.explain(number, claim, err)
}

func (s *service) shard(c echo.Context) (int, *book.Book, error) {
	number, err := strconv.Atoi(c.Param("shard"))
	if err != nil || number < 0 || number >= s.books.most || strconv.Itoa(number) != c.Param("shard") {
		return 0, nil, problem.New(http.StatusNotFound, "shard-not-found", fmt.Sprintf("there are the shards 0 to %d", s.books.most-1))
	}
	b, err := s.books.book(number)
	return number, b, err
}

// doubleCheck asks the store whose the shard is.
func (s *service) doubleCheck(ctx context.Context, number int, claim wire.Claim) error {
	if s.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	now, err := s.store.Next(ctx, wire.LeaseName(number), lease.Record{})
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	if now.Token != claim.Token || now.Holder != claim.Owner {
		return &book.Stale{Newest: wire.Claim{Owner: now.Holder, Token: now.Token, Version: now.Version}}
	}
	return nil
}

// errStore is for a store that could not be asked.
var errStore = errors.New("the store could not be asked")

func (s *service) open(r request) (string, error) {
	at, err := r.book.Admit(r.claim)
	if err != nil {
		return "", err
	}
	at.Shard = r.number
	return "admitted", answer(r, http.StatusOK, at)
}

func (s *service) account(r request) (string, error) {
	name := r.Param("account")
	if err := wire.CheckName("account", name); err != nil {
		return "refused", problem.New(http.StatusBadRequest, "account-invalid", err.Error())
	}
	a, err := r.book.Account(r.claim, name)
	if err != nil {
		return "", err
	}
	return "read", answer(r, http.StatusOK, a)
}

func (s *service) entry(r request) (string, error) {
	id := r.Param("id")
	if err := wire.CheckName("id", id); err != nil {
		return "refused", problem.New(http.StatusBadRequest, "entry-invalid", err.Error())
	}
	e, known, err := r.book.Entry(r.claim, id)
	switch {
	case err != nil:
		return "", err
	case !known:
		return "refused", problem.New(http.StatusNotFound, "entry-not-found", "no entry of this shard has the id, or none of the newest")
	}
	return "read", answer(r, http.StatusOK, e)
}

// maxOrder bounds the body of an order.
const maxOrder = 4 << 10

func (s *service) record(r request) (string, error) {
	var o wire.Order
	decoder := json.NewDecoder(io.LimitReader(r.Request().Body, maxOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return "refused", problem.New(http.StatusBadRequest, "entry-invalid", "want a JSON object with id, account, amount, balance, version and sequence")
	}
	if err := o.Check(); err != nil {
		return "refused", problem.New(http.StatusBadRequest, "entry-invalid", err.Error())
	}
	e, replayed, err := r.book.Record(r.claim, o)
	switch {
	case err != nil:
		return "", err
	case replayed:
		return "replayed", answer(r, http.StatusOK, e)
	}
	return "recorded", answer(r, http.StatusCreated, e)
}

// maxListed bounds a list of entries.
const maxListed = 1000

func (s *service) entries(c echo.Context) error {
	_, b, err := s.shard(c)
	if err != nil {
		return err
	}
	most := 100
	if text := c.QueryParam("limit"); text != "" {
		if most, err = strconv.Atoi(text); err != nil || most < 1 || most > maxListed {
			return problem.New(http.StatusBadRequest, "limit-invalid", fmt.Sprintf("limit: want 1 to %d", maxListed))
		}
	}
	account := c.QueryParam("account")
	if account != "" && wire.CheckName("account", account) != nil {
		return problem.New(http.StatusBadRequest, "account-invalid", wire.CheckName("account", account).Error())
	}
	return answer(c, http.StatusOK, b.Entries(account, most))
}

func answer(c echo.Context, code int, value any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(code, value)
}

// explain maps what a book refuses to an outcome, once, and to what the owner is told.
func (s *service) explain(number int, claim wire.Claim, err error) (string, error) {
	var stale *book.Stale
	switch {
	case errors.As(err, &stale):
		s.log.Warn("an owner of the past was refused", "shard", number, "owner", claim.Owner, "token", claim.Token,
			"newest_owner", stale.Newest.Owner, "newest_token", stale.Newest.Token)
		detail := fmt.Sprintf("token %d is not that of the shard's owner: the newest is %d", claim.Token, stale.Newest.Token)
		return "stale", problem.New(http.StatusConflict, "token-stale", detail).With("newest", stale.Newest.Token)
	case errors.Is(err, book.ErrSequence):
		return "out-of-sequence", problem.New(http.StatusConflict, "sequence-conflict", "the entry is not the next one of its shard: open the shard again and compute it anew")
	case errors.Is(err, book.ErrReused):
		return "refused", problem.New(http.StatusUnprocessableEntity, "entry-id-reused", "the id is that of another entry, with another account or amount; choose a new one")
	case errors.Is(err, book.ErrFull):
		return "refused", problem.New(http.StatusInsufficientStorage, "ledger-full", "there is no room for another account in this shard")
	case errors.Is(err, errStore):
		return "failed", fmt.Errorf("%w: %w", problem.New(http.StatusServiceUnavailable, "store-unavailable", "the store of owners cannot be asked").Retry(retryAfter), err)
	case errors.Is(err, book.ErrBroken):
		select {
		case s.broken <- err:
		default: // one is enough
		}
	}
	return "failed", err
}

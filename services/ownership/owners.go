package ownership

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// An Owner says who owns a shard, as this replica knows it.
type Owner struct {
	Shard   int         `json:"shard"`
	Owner   string      `json:"owner"`           // "" while nobody does
	Addr    string      `json:"addr,omitempty"`  // of the owner
	Run     string      `json:"run,omitempty"`   // of its process
	Token   lease.Token `json:"token,omitempty"` // fencing token
	Since   *time.Time  `json:"since,omitempty"` // by the owner's clock
	TTL     int64       `json:"ttl_ms,omitempty"`
	TTLLeft *int64      `json:"ttl_left_ms,omitempty"` // as the store says; not there when it does not answer
	// Held tells, of a shard of this replica, whether it may act now, and HeldFor for
	// how long if nothing is renewed any more.
	Held    bool   `json:"held"`
	HeldFor int64  `json:"held_for_ms,omitempty"`
	Ledger  string `json:"ledger"`
}

// askTimeout bounds how long the answer waits for the store.
const askTimeout = 500 * time.Millisecond

func (s *service) owner(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), askTimeout)
	defer cancel()
	owners := make([]Owner, len(s.shards))
	var asking sync.WaitGroup
	for i, sh := range s.shards {
		asking.Go(func() { owners[i] = s.ownerOf(ctx, sh) })
	}
	asking.Wait()
	return answer(c, http.StatusOK, struct {
		Instance string  `json:"instance"`
		Run      string  `json:"run"`
		Shards   []Owner `json:"shards"`
	}{s.me.Name, s.me.Run, owners})
}

// ownerOf asks the store, and tells what was seen last where it does not answer.
func (s *service) ownerOf(ctx context.Context, sh *shard) Owner {
	seen, _ := s.view.get(sh.number)
	now, err := s.store.Next(ctx, wire.LeaseName(sh.number), lease.Record{})
	if err == nil {
		seen = now
	}
	o := Owner{Shard: sh.number, Ledger: sh.ledger}
	if who, err := lease.ParseIdentity(seen.Holder); err == nil {
		o.Owner, o.Addr, o.Run = who.Name, who.Addr, who.Run
	}
	if seen.Holder != "" {
		o.Token, o.TTL, o.Since = seen.Token, seen.TTL.Milliseconds(), &seen.Since
		if left := seen.Left.Milliseconds(); err == nil {
			o.TTLLeft = &left
		}
	}
	if t := sh.owned(); t != nil {
		o.Held = t.lease.Held()
		o.HeldFor = max(0, time.Until(t.lease.Deadline()).Milliseconds())
	}
	return o
}

func (s *service) terms(c echo.Context) error {
	return answer(c, http.StatusOK, struct {
		Instance string `json:"instance"`
		Terms    []Term `json:"terms"`
	}{s.me.Name, s.history.all()})
}

// resign hands a shard of this replica over to another one: the first that campaigns
// gets it. Which one that is, is not this replica's choice.
func (s *service) resign(c echo.Context) error {
	number, err := strconv.Atoi(c.Param("shard"))
	if err != nil || number < 0 || number >= len(s.shards) {
		return problem.New(http.StatusNotFound, "shard-not-found", fmt.Sprintf("there are the shards 0 to %d", len(s.shards)-1))
	}
	if !s.shards[number].giveUp() {
		return problem.New(http.StatusConflict, "not-the-owner", "this replica does not own the shard; GET /v1/owner tells who does")
	}
	return c.NoContent(http.StatusAccepted)
}

package ownership

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// Elections do not spread anything: who starts first gets all shards, and after a
// roll-out the replica that restarted last has none. So a replica with little asks one with
// much to resign something, and those with much hold back when something is free. Nobody is
// overruled: the owner gives, and the election decides who gets.

// enough is how many shards more somebody must have to be asked. With less, a shard
// would move to and fro.
const enough = 2

// backward is how long a candidate holds back for each shard that it has, up to a
// bound that a hand-over hardly notices.
const (
	backward    = 25 * time.Millisecond
	maxBackward = 100 * time.Millisecond
)

// delay is how long this replica holds back when a shard is free.
func (s *service) delay() time.Duration {
	return min(time.Duration(s.view.owned()[s.me.String()])*backward, maxBackward)
}

// balance asks for a shard whenever somebody has too many, until ctx ends.
func (s *service) balance(ctx context.Context) {
	for {
		pause := s.cfg.Balance/2 + rand.N(s.cfg.Balance) // replicas that started together do not ask together
		if retry.Sleep(ctx, pause) != nil {
			return
		}
		if from, number, found := s.richest(); found {
			s.ask(ctx, from, number)
		}
	}
}

// richest finds a shard of the holder that has most of them, if that is enough more than
// this replica has.
func (s *service) richest() (from lease.Identity, number int, found bool) {
	owned := s.view.owned()
	most, holder := owned[s.me.String()]+enough-1, ""
	for who, has := range owned {
		if has > most {
			most, holder = has, who
		}
	}
	from, err := lease.ParseIdentity(holder)
	if err != nil || from.Addr == "" {
		return lease.Identity{}, 0, false
	}
	for _, number := range rand.Perm(len(s.shards)) {
		if r, _ := s.view.get(number); r.Holder == holder {
			return from, number, true
		}
	}
	return lease.Identity{}, 0, false
}

func (s *service) ask(ctx context.Context, from lease.Identity, number int) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s/v1/shards/%d/resign", from.Addr, number), nil)
	if err != nil {
		s.log.Warn("ask for a shard", "shard", number, "owner", from.Name, "error", err)
		return
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.log.Info("the owner of many shards does not answer", "owner", from.Name, "error", err)
		return
	}
	_ = resp.Body.Close() // who gets the shard is told by the election
	s.log.Info("asked for a shard", "shard", number, "owner", from.Name, "status", resp.StatusCode)
}

package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chaos"
	"github.com/flotilla-dev/flotilla/loadtest/linear"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	roundClients  = 6
	roundAccounts = 4
	roundBefore   = 20 // entries that are recorded before a fault
	// roundLimit bounds one request of a client in a round, so that those who ask who is
	// paused ask others soon.
	roundLimit = 1500 * time.Millisecond
)

// roundTally is what all rounds come to.
type roundTally struct {
	rounds, violations  int
	operations, unknown int
	fewest              int // entries recorded in a round
	recorded, owners    int
	stale, staleSeen    int // refusals, and the ledger's count when it was seen last
	byFault             map[string]int
}

// faultRounds lets faults happen while clients append and read, and checks each round by
// itself: its accounts are its own.
func faultRounds(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	network, err := chaos.NewNetwork(ctx, ownerNodes()...)
	switch {
	case errors.Is(err, chaos.ErrNoNetwork):
		r.Note("Partitions are those of links, one between each replica and the store, one between it and the ledger: %v.", err)
	case err != nil:
		return err
	default:
		g.Defer(func() {
			if err := network.Close(); err != nil {
				r.Log("%v", err)
			}
		})
		r.Note("Partitions are those of a network: each process has a network namespace of its own, and packets are lost.")
	}
	o, err := newOwners(ctx, g, ownersSpec{ttl: time.Second, shards: 2, network: network, ledger: map[string]string{"LEDGER_ENTRIES": "10000"}})
	if err != nil {
		return err
	}
	rounds := 200
	if r.Quick {
		rounds = 10
	}
	seed, err := chaosSeed()
	if err != nil {
		return err
	}
	c := chaos.Random{Seed: seed, Faults: o.faultsOf(network), Log: r.Log,
		Lasts: chaos.Span{Min: 300 * time.Millisecond, Max: 3 * time.Second}, Rests: chaos.Span{Min: 100 * time.Millisecond, Max: 500 * time.Millisecond}}
	t := &roundTally{fewest: -1, byFault: map[string]int{}}
	err = c.Run(ctx, rounds, func(ctx context.Context, round chaos.Round, fault func(context.Context) error) error {
		t.byFault[c.Faults[round.Fault].Name]++
		return o.round(ctx, r, t, seed, fault)
	})
	if err != nil {
		return err
	}
	t.report(r, rounds, seed)
	return nil
}

// chaosSeed is that of CHAOS_SEED, to see a plan again, or any.
func chaosSeed() (uint64, error) {
	text := os.Getenv("CHAOS_SEED")
	if text == "" {
		return rand.Uint64(), nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("CHAOS_SEED: %w", err)
	}
	return seed, nil
}

func (t *roundTally) report(r *proof.Report, rounds int, seed uint64) {
	r.Claim(proof.Exactly("rounds of faults", t.rounds, rounds, ""))
	r.Claim(proof.Exactly("rounds with a violation, by the checker", t.violations, 0, fmt.Sprintf("of %d", t.rounds)))
	r.Claim(proof.AtLeast("changes of the owner between two entries of a round", float64(t.owners), float64(rounds)/10, ""))
	r.Measured("operations that were checked", float64(t.operations), "")
	r.Measured("of them without an answer", float64(t.unknown), "")
	r.Measured("entries recorded", float64(t.recorded), "")
	r.Measured("entries recorded in a round, fewest", float64(t.fewest), "")
	r.Measured("requests of owners of the past that the ledger refused", float64(t.stale), "")
	table := proof.Table{Title: "Rounds by fault", Columns: []string{"fault", "rounds"}}
	for _, name := range slices.Sorted(maps.Keys(t.byFault)) {
		table.Rows = append(table.Rows, []string{name, strconv.Itoa(t.byFault[name])})
	}
	r.Table(table)
	r.Note("Seed %d (CHAOS_SEED=%d draws the same faults again). TTL 1 s; each fault lasts 0.3 to 3 s, so that some are over before a lease is and most are not.", seed, seed)
}

// round runs clients before, during and after a fault, until all is well again, and
// checks what they saw.
func (o *owners) round(ctx context.Context, r *proof.Report, t *roundTally, seed uint64, fault func(context.Context) error) error {
	rec := newRecorders()
	t.rounds++
	var accounts []string
	for i := range roundAccounts {
		accounts = append(accounts, o.accountOf(fmt.Sprintf("round-%d-%d", t.rounds, i), i%o.shards))
	}
	clients, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- o.clients(clients, rec, accounts, rand.New(rand.NewPCG(seed, uint64(t.rounds)))) }()
	// A fault without anybody who notices it shows nothing.
	err := until(ctx, "clients have recorded something", func() (bool, error) { return rec.recorded.Load() >= roundBefore, nil })
	if err == nil {
		err = fault(ctx)
	}
	if err == nil {
		err = o.settled(ctx)
	}
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	for _, account := range accounts {
		if err := until(ctx, account+" is read", func() (bool, error) {
			what, err := rec.read(ctx, o, roundClients, o.replicas[0], account)
			return what == recorded, err
		}); err != nil {
			return err
		}
	}
	return o.judgeRound(ctx, r, t, rec)
}

// judgeRound checks a round. An undecided history ends the run: it is not known to be good.
func (o *owners) judgeRound(ctx context.Context, r *proof.Report, t *roundTally, rec recorders) error {
	entries, tokens, err := rec.check(linear.Checker{})
	switch {
	case errors.Is(err, linear.ErrUndecided), err != nil && !errors.Is(err, linear.ErrViolation):
		return err
	case err != nil:
		t.violations++
		r.Log("%v", err)
	}
	done := entries.Count(linear.Append, linear.OK)
	if t.fewest < 0 || done < t.fewest {
		t.fewest = done
	}
	t.recorded += done
	t.operations += len(entries.Operations) + len(tokens.Operations)
	t.unknown += entries.Count(linear.Append, linear.Unknown) + entries.Count(linear.Read, linear.Unknown)
	seen := map[[2]any]bool{}
	for _, op := range tokens.Operations {
		seen[[2]any{op.Key, op.Token}] = true
	}
	t.owners += max(0, len(seen)-o.shards)
	stale, err := counter(ctx, o.ledger, `ledger_requests_total{outcome="stale"}`)
	if now := int(stale); now >= t.staleSeen {
		t.stale += now - t.staleSeen
	} else {
		t.stale += now // it was killed, and counts from 0
	}
	t.staleSeen = int(stale)
	return err
}

// clients append and read until ctx ends, each one thing after the other, at any replica.
func (o *owners) clients(ctx context.Context, rec recorders, accounts []string, random *rand.Rand) error {
	var wg sync.WaitGroup
	failed := make(chan error, roundClients)
	for client := range roundClients {
		mine := rand.New(rand.NewPCG(random.Uint64(), 0))
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := o.once(ctx, rec, client, n, accounts, mine); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed // nil when none has
}

// once reads an account, or appends an entry to it, which is sent again while it is not
// known to be recorded.
func (o *owners) once(ctx context.Context, rec recorders, client, n int, accounts []string, random *rand.Rand) error {
	account := accounts[random.IntN(len(accounts))]
	anyone := func() *rig.Proc { return o.replicas[random.IntN(len(o.replicas))] }
	// The request is not broken off at the end of the round: it is waited for.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundLimit)
	defer cancel()
	defer func() { _ = retry.Sleep(ctx, time.Duration(random.IntN(20))*time.Millisecond) }()
	if random.IntN(3) == 0 {
		_, err := rec.read(asking, o, client, anyone(), account)
		return err
	}
	id := fmt.Sprintf("%s-%d-%d", account, client, n) // of its shard, for ever
	for {
		what, err := rec.append(asking, o, client, anyone(), id, account)
		if err != nil || what == recorded {
			return err
		}
		// Who is not served comes back a little later, as Retry-After asks for.
		if retry.Sleep(asking, 100*time.Millisecond) != nil {
			return nil // it is given up, and may be recorded or not
		}
	}
}

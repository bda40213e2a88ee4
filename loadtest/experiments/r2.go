package experiments

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func r2() proof.Pattern {
	return proof.Pattern{ID: "R2", Title: "Session-tracked service", Page: "r2-sessions.md", Experiments: []proof.Experiment{
		{Name: "moves", Question: "When a replica joins or leaves, which sessions move?", Run: moves},
		{Name: "by-address", Question: "Why not by client address, behind two caches?", Run: byAddress},
	}}
}

const sessionRoute = "/v1/recent"

// sessionID is the nth session. Minted ones are random; the ring hashes either.
func sessionID(n int) string {
	return fmt.Sprintf("%08x-5e55-4f0a-9c0d-%012x", n*2654435761%(1<<32), n)
}

// places asks, for each of n sessions, which replica serves it.
func places(ctx context.Context, client *openloop.Client, n int) ([]string, error) {
	served := make([]string, n)
	for i := range served {
		a := client.Get(ctx, sessionRoute, http.Header{"Cookie": {"__Host-session=" + sessionID(i)}})
		if a.Err != nil || a.Status != 200 || a.ServedBy == "" {
			return nil, fmt.Errorf("session %d: status %d, served by %q, %v", i, a.Status, a.ServedBy, a.Err)
		}
		served[i] = a.ServedBy
	}
	return served, nil
}

// moved counts the sessions whose replica differs, and among them those that did
// not go to (joined) or come from (left) the replica that changed.
func moved(before, after []string, changed string) (count, strangers int) {
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		count++
		if after[i] != changed && before[i] != changed {
			strangers++
		}
	}
	return count, strangers
}

func moves(ctx context.Context, r *proof.Report) error {
	sessions := 4000
	if r.Quick {
		sessions = 600
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "dictionary"); err != nil {
		return err
	}
	replicas, err := g.Dictionaries(ctx, 4, map[string]string{"LOG_LEVEL": "WARN"})
	if err != nil {
		return err
	}
	upstream, err := g.Endpoints("dictionary", replicas[:3]...)
	if err != nil {
		return err
	}
	cache, err := cacheBefore(ctx, g, "cache", upstream, map[string]string{"CACHE_POLICY_FILE": g.Policy(), "CHECK_INTERVAL": "200ms", "RESOLVE_INTERVAL": "200ms"})
	if err != nil {
		return err
	}
	client, err := plain(cache.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	three, err := places(ctx, client, sessions)
	if err != nil {
		return err
	}
	if _, err := g.Endpoints("dictionary", replicas...); err != nil {
		return err
	}
	if err := awaitPlace(ctx, client, sessions, replicas[3].Spec.Name, true); err != nil {
		return err
	}
	four, err := places(ctx, client, sessions)
	if err != nil {
		return err
	}
	if _, err := g.Endpoints("dictionary", replicas[0], replicas[2], replicas[3]); err != nil {
		return err
	}
	if err := awaitPlace(ctx, client, sessions, replicas[1].Spec.Name, false); err != nil {
		return err
	}
	without, err := places(ctx, client, sessions)
	if err != nil {
		return err
	}
	return reportMoves(r, replicas, three, four, without)
}

// awaitPlace asks until a replica serves some session (or none any more).
func awaitPlace(ctx context.Context, client *openloop.Client, sessions int, replica string, wanted bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		served, err := places(ctx, client, min(sessions, 200))
		if err != nil {
			return fmt.Errorf("wait for the ring: %w", err)
		}
		found := false
		for _, s := range served {
			found = found || s == replica
		}
		if found == wanted {
			return nil
		}
		if err := retry.Sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the ring with %s %v: %w", replica, wanted, err)
		}
	}
}

func reportMoves(r *proof.Report, replicas []*rig.Proc, three, four, without []string) error {
	joined, left := replicas[3].Spec.Name, replicas[1].Spec.Name
	n := len(three)
	toJoined, strangers := moved(three, four, joined)
	share := float64(toJoined) / float64(n)
	// The ring's points scatter: a quarter of 1/4 either way is far outside of
	// what a ring with enough points does.
	r.Claim(proof.Within("sessions that move when a fourth replica joins", share*100, 25, 0.25, "% of all"))
	r.Claim(proof.Exactly("of them, sessions that did not go to the new replica", strangers, 0, "sessions"))
	own := 0
	for _, s := range four {
		if s == left {
			own++
		}
	}
	fromLeft, others := moved(four, without, left)
	r.Claim(proof.Exactly("sessions that move when "+left+" leaves: its own", fromLeft, own, "sessions"))
	r.Claim(proof.Exactly("sessions of other replicas that moved with them", others, 0, "sessions"))
	t := proof.Table{Title: fmt.Sprintf("Sessions per replica, of %d", n), Columns: []string{"replica", "three replicas", "a fourth joined", left + " left"}}
	for _, p := range replicas {
		t.Rows = append(t.Rows, []string{p.Spec.Name, counted(three, p.Spec.Name), counted(four, p.Spec.Name), counted(without, p.Spec.Name)})
	}
	r.Table(t)
	return nil
}

func counted(served []string, replica string) string {
	n := 0
	for _, s := range served {
		if s == replica {
			n++
		}
	}
	return fmt.Sprint(n)
}

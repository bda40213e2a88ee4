package reshard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// A Plan is what a move would do.
type Plan struct {
	From, To  string    // layouts, for people
	Documents int64     // that live
	Moves     [][]int64 // documents by the shard of now and the next one
	Changed   int64     // documents whose shard has another number
	// Instead is how many would change their shard's number under each placement, if the shards of now were placed so, too.
	Instead map[string]int64
}

// Plan reads the log of now.
func (d *Driver) Plan(ctx context.Context) (*Plan, error) {
	if d.Layout.Next == nil {
		return nil, errors.New("the layout file has no next layout")
	}
	l := d.Layout
	c, err := doclog.Open(doclog.Options{Brokers: d.Brokers, Topic: l.Topic, Client: "searchreshard", Log: d.Log})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Await(ctx, int32(len(l.Shards)), false); err != nil {
		return nil, err
	}
	living := make([]map[string]bool, len(l.Shards))
	group, running := errgroup.WithContext(ctx)
	for p := range living {
		group.Go(func() (err error) {
			living[p], err = lives(running, c, int32(p))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return planned(l, living)
}

// lives are the ids that a partition has at its end.
func lives(ctx context.Context, c *doclog.Cluster, partition int32) (map[string]bool, error) {
	ids := map[string]bool{}
	done := errors.New("read")
	end := int64(-1) // as it was at the first batch: the log may grow all the time
	err := read(ctx, c, partition, doclog.Follower{Handle: func(_ context.Context, b doclog.Batch) error {
		if end < 0 {
			end = b.End
		}
		for _, r := range b.Records {
			switch {
			case r.Kind != doclog.Document:
			case r.Document == nil:
				delete(ids, r.ID)
			default:
				ids[r.ID] = true
			}
		}
		if b.Next >= end {
			return done
		}
		return nil
	}})
	if !errors.Is(err, done) {
		return nil, err
	}
	return ids, nil
}

func planned(l *layout.Layout, living []map[string]bool) (*Plan, error) {
	n, m := len(l.Shards), len(l.Next.Shards)
	next, err := doclog.NewPlacement(l.Next.Placement, m)
	if err != nil {
		return nil, err
	}
	p := &Plan{Instead: map[string]int64{}, From: fmt.Sprintf("%s, %d shards, %s", l.Topic, n, l.Placement), To: fmt.Sprintf("%s, %d shards, %s", l.Next.Topic, m, l.Next.Placement)}
	type pair struct{ before, after *doclog.Placement }
	ways := map[string]pair{}
	for _, name := range []string{doclog.Modulo, doclog.Jump} {
		before, err1 := doclog.NewPlacement(name, n)
		after, err2 := doclog.NewPlacement(name, m)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		ways[name], p.Instead[name] = pair{before, after}, 0
	}
	for from, ids := range living {
		p.Moves = append(p.Moves, make([]int64, m))
		for id := range ids {
			to := int(next.Of(id))
			p.Moves[from][to]++
			p.Documents++
			if to != from {
				p.Changed++
			}
			for name, way := range ways {
				if way.before.Of(id) != way.after.Of(id) {
					p.Instead[name]++
				}
			}
		}
	}
	return p, nil
}

// Print writes the plan for people.
func (p *Plan) Print(to io.Writer) error {
	share := func(n int64) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(p.Documents, 1))) }
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(to, "from %s\nto   %s\n%d documents, all of which are copied; %s change the number of their shard\n", p.From, p.To, p.Documents, share(p.Changed))
	fmt.Fprintf(to, "with the same placement before and after: modulo %s, jump %s\n\n", share(p.Instead[doclog.Modulo]), share(p.Instead[doclog.Jump]))
	fmt.Fprint(w, "shard\t")
	for q := range p.Moves[0] {
		fmt.Fprintf(w, "to %d\t", q)
	}
	fmt.Fprintln(w)
	for from, row := range p.Moves {
		fmt.Fprintf(w, "%d\t", from)
		for _, n := range row {
			fmt.Fprintf(w, "%d\t", n)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

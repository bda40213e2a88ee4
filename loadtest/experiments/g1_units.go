package experiments

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	units = 60
	// unit is how long one takes: the book's minute of work, a hundred times as fast.
	unit = 10 * time.Millisecond
	// unitsTolerance is what scattering and gathering may add.
	unitsTolerance = 25 * time.Millisecond
)

var unitLeaves = []int{1, 2, 3, 5, 6, 10, 15, 20, 30}

// unitsOfWork divides the same work among more and more leaves.
func unitsOfWork(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "search"); err != nil {
		return err
	}
	t := proof.Table{Title: fmt.Sprintf("%d units of %v", units, unit), Columns: []string{"leaves", "work of each", "median", "on top of it", "times as fast as one leaf"}}
	measured, ideal := chart.Series{Name: "measured"}, chart.Series{Name: "1/n"}
	one := time.Duration(0)
	for _, leaves := range unitLeaves {
		took, err := divided(ctx, g, leaves, r.Span(8*time.Second, 1500*time.Millisecond))
		if err != nil {
			return err
		}
		want := units * unit / time.Duration(leaves)
		if one == 0 {
			one = took
		}
		r.Claim(proof.That(fmt.Sprintf("%d units on %d leaves", units, leaves), fmt.Sprintf("%v to %v", want, want+unitsTolerance), millis(took), took >= want && took <= want+unitsTolerance))
		t.Rows = append(t.Rows, []string{fmt.Sprint(leaves), fmt.Sprint(want), millis(took), millis(took - want), fmt.Sprintf("%.1f", ratio(one, took))})
		measured.X, measured.Y = append(measured.X, float64(leaves)), append(measured.Y, milliseconds(took))
		ideal.X, ideal.Y = append(ideal.X, float64(leaves)), append(ideal.Y, milliseconds(want))
	}
	r.Table(t)
	r.Note("The root is the program; leaves wait for as long as their part of the work takes, so that 30 of them work at the same time on two processors.")
	return r.Chart("units", chart.Lines{Title: "60 units of work, divided", Note: fmt.Sprintf("a unit takes %v; medians", unit), XUnit: "leaves", YUnit: "ms", Series: []chart.Series{measured, ideal}})
}

// divided is the median of requests, one after the other, over leaves that share the work.
func divided(ctx context.Context, g *rig.Rig, leaves int, span time.Duration) (time.Duration, error) {
	s := &standins{base: units * unit / time.Duration(leaves)}
	shards, err := s.start(g, leaves, 1)
	if err != nil {
		return 0, err
	}
	root, err := searchRoot(ctx, g, fmt.Sprintf("root-%d", leaves), "standins", shards, nil)
	if err != nil {
		return 0, err
	}
	defer root.Kill()
	c := newSearchClient(root.Data)
	defer c.close()
	var took []float64
	begin := time.Now()
	for n := 0; n < 3 || time.Since(begin) < span; n++ {
		sent := time.Now()
		if _, err := c.found(ctx, url.Values{"q": {fmt.Sprintf("word%06d", n)}}); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(sent)))
	}
	return time.Duration(median(took)), nil
}

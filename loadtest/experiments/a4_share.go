package experiments

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// split asks as each of many users: twice at 10 %, of two replicas; and after the file was changed, once more.
func split(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "experiment"); err != nil {
		return err
	}
	origin, arm := &rig.Origin{}, &rig.Origin{}
	for _, o := range []*rig.Origin{origin, arm} {
		if err := g.Origin(o); err != nil {
			return err
		}
	}
	before := next("10.00", arm.Upstream()) + "- {name: other, percent: 5.00, from: 90, layer: next, upstream: '" + arm.Upstream() + "'}\n"
	after := next("20.00", arm.Upstream()) + "- {name: other, percent: 5.00, from: 90, layer: next, upstream: '" + arm.Upstream() + "'}\n"
	var replicas []*armed
	for i := range 2 {
		a, err := splitter(ctx, g, fmt.Sprintf("experiment-%d", i+1), origin.Upstream(), before, nil)
		if err != nil {
			return err
		}
		replicas = append(replicas, a)
	}
	users := 100_000
	if r.Quick {
		users = 10_000
	}
	cookies := newUsers(users)
	first, err := census(ctx, replicas[0], originPath, cookies)
	if err != nil {
		return err
	}
	second, err := census(ctx, replicas[1], originPath, cookies)
	if err != nil {
		return err
	}
	tolerance := 0.3
	if r.Quick {
		tolerance = 1 // three deviations of 10,000 users
	}
	r.Claim(proof.AtMost("distance of the share from 10 %", math.Abs(percentOf(first, "next")-10), tolerance, "points"))
	r.Claim(proof.AtMost("distance of the other experiment's share from 5 %", math.Abs(percentOf(first, "other")-5), tolerance, "points"))
	r.Claim(proof.Exactly("users who flip between replicas", changes(first, second).flipped, 0, fmt.Sprintf("of %d", users)))

	changed := time.Now()
	if err := replicas[0].write(after); err != nil {
		return err
	}
	reload, err := replicas[0].reloaded(ctx, changed)
	if err != nil {
		return err
	}
	third, err := census(ctx, replicas[0], originPath, cookies)
	if err != nil {
		return err
	}
	c := changes(first, third)
	r.Claim(proof.AtMost("from the file's change to the new share", milliseconds(reload), 1000, "ms"))
	r.Claim(proof.AtMost("distance of the doubled share from 20 %", math.Abs(percentOf(third, "next")-20), tolerance, "points"))
	r.Claim(proof.Exactly("users who moved, but not from production into the experiment", c.flipped, 0, fmt.Sprintf("of %d", users)))
	r.Note("Each run has other users. The standard deviation of a share of 10 %% of 100,000 users is 0.095 points, of 20 %% 0.126.")
	r.Measured("users who moved in", float64(c.in), fmt.Sprintf("of %d", users))
	return nil
}

// originPath is a small page of the origins.
const originPath = "/16/page"

// census asks which arm serves each user.
func census(ctx context.Context, a *armed, path string, cookies []string) ([]string, error) {
	client, err := openloop.Target{URL: "http://" + a.Data}.Open()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	arms := make([]string, len(cookies))
	errs := make([]error, 8)
	var at atomic.Int64
	var wg sync.WaitGroup
	for worker := range errs {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < len(cookies) && ctx.Err() == nil; i = int(at.Add(1)) - 1 {
				if arms[i], errs[worker] = whose(ctx, client, path, cookies[i]); errs[worker] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return nil, err
		}
	}
	return arms, nil
}

func whose(ctx context.Context, client *openloop.Client, path, user string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, client.URL()+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Cookie", "experiment="+user)
	answer, resp := client.Do(ctx, req)
	if answer.Err != nil {
		return "", fmt.Errorf("as user %s: %w", user, answer.Err)
	}
	if answer.Status != http.StatusOK {
		return "", fmt.Errorf("as user %s: status %d", user, answer.Status)
	}
	if given := resp.Header.Get("Set-Cookie"); given != "" {
		return "", fmt.Errorf("user %s was taken for a new one", user)
	}
	return resp.Header.Get("X-Experiment"), nil
}

// newUsers are the cookies of people who come for the first time, as the ambassador makes
// them: 26 digits of base32, others in every run.
func newUsers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = rand.Text()
	}
	return all
}

func percentOf(arms []string, arm string) float64 {
	n := 0
	for _, a := range arms {
		if a == arm {
			n++
		}
	}
	return 100 * float64(n) / float64(len(arms))
}

// shift counts who came into the experiment from production, and everybody else who moved.
type shift struct{ in, flipped int }

func changes(before, after []string) shift {
	var m shift
	for i := range before {
		switch {
		case before[i] == after[i]:
		case before[i] == "production" && after[i] == "next":
			m.in++
		default:
			m.flipped++
		}
	}
	return m
}

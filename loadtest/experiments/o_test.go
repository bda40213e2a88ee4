package experiments

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestAvailabilityIsWrittenWithItsNines(t *testing.T) {
	for down, want := range map[time.Duration]string{
		0:                               "100 %",
		31_536 * time.Second:            "99.90 %, 3.0 nines",
		365 * 24 * time.Hour / 10:       "90.0 %, 1.0 nines",
		time.Duration(315_360) * 1000e6: "99.0 %, 2.0 nines",
	} {
		if got := available(down); got != want {
			t.Errorf("%s: %s, want %s", down, got, want)
		}
	}
}

func TestAnAnswerMeansWhatItSays(t *testing.T) {
	problem := func(name string) []byte { return fmt.Appendf(nil, `{"type":"docs/problems.md#%s","status":503}`, name) }
	for name, c := range map[string]struct {
		a    answered
		err  error
		want became
		bad  bool
	}{
		"recorded":        {answered{http.StatusCreated, nil}, nil, recorded, false},
		"nothing was":     {answered{http.StatusServiceUnavailable, problem("no-owner")}, nil, notDone, false},
		"too many wait":   {answered{http.StatusServiceUnavailable, problem("shard-busy")}, nil, notDone, false},
		"not known":       {answered{http.StatusServiceUnavailable, problem("owner-unreachable")}, nil, notKnown, false},
		"neither":         {answered{http.StatusServiceUnavailable, problem("ledger-unavailable")}, nil, notKnown, false},
		"a proxy's 503":   {answered{http.StatusServiceUnavailable, []byte("<html>")}, nil, notKnown, true},
		"a wrong request": {answered{http.StatusUnprocessableEntity, problem("x")}, nil, notKnown, true},
		"nobody listens":  {answered{}, fmt.Errorf("%w: refused", errUnsent), neverAsked, false},
		"no answer":       {answered{}, fmt.Errorf("%w: reset", errUnanswered), notKnown, false},
		"something else":  {answered{}, errors.New("bad URL"), notKnown, true},
	} {
		got, err := judge(c.a, c.err, http.StatusCreated)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAccountsAreFoundForEachShard(t *testing.T) {
	o := &owners{shards: 4}
	for shard := range 4 {
		if account := o.accountOf("a", shard); o.shard(account) != shard {
			t.Errorf("%s is in shard %d", account, o.shard(account))
		}
	}
}

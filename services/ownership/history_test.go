package ownership

import (
	"fmt"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

func held(token lease.Token) lease.Record {
	return lease.Record{Holder: fmt.Sprintf("o%d@h:1#r%d", token, token), Token: token}
}

func TestAHistoryTellsWhoHeldWhatAndWhyItEnded(t *testing.T) {
	at := time.Unix(0, 0).UTC()
	h := &history{most: 100, now: func() time.Time { at = at.Add(time.Second); return at }}
	h.observed(0, lease.Record{})
	h.observed(0, held(1))
	h.observed(0, held(1)) // renewed, where that is told
	h.observed(1, held(2))
	h.observed(0, lease.Record{Ended: lease.Resigned})
	h.observed(0, held(3))
	missed := held(4)
	missed.Before = lease.Expired // by its word, because this observer has not seen the end
	h.observed(0, missed)
	h.ended(0, held(4).Holder, 4, "fenced")
	h.observed(0, lease.Record{})
	h.ended(0, held(5).Holder, 5, "unconfirmed") // before the store told that it began
	h.observed(0, held(5))
	h.observed(0, lease.Record{})
	var got []string
	for _, term := range h.all() {
		to := "…"
		if term.To != nil {
			to = fmt.Sprint(term.To.Unix() > 0 && !term.To.Before(term.From))
		}
		got = append(got, fmt.Sprint(term.Shard, " ", term.Owner, " ", term.Run, " ", term.Token, " ", to, " ", term.Ended))
	}
	want := []string{"0 o1 r1 1 true resigned", "1 o2 r2 2 … ", "0 o3 r3 3 true expired", "0 o4 r4 4 true fenced", "0 o5 r5 5 true unconfirmed"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A store that comes back from a backup begins with smaller tokens, and may give one again that it has given to somebody else.
func TestAHistoryIsThatOfTheStoreAlsoAfterABackup(t *testing.T) {
	h := &history{most: 100, now: time.Now}
	h.observed(0, held(7))
	again := held(7)
	again.Holder = "o8@h:1#r8"
	h.observed(0, held(3))
	h.observed(0, again)
	var open, all []string
	for _, term := range h.all() {
		all = append(all, term.Owner)
		if term.To == nil {
			open = append(open, term.Owner)
		}
	}
	if fmt.Sprint(all) != "[o7 o3 o8]" || fmt.Sprint(open) != "[o8]" {
		t.Errorf("terms of %q, open those of %q", all, open)
	}
}

func TestAHistoryHasABound(t *testing.T) {
	h := &history{most: 3, now: time.Now}
	for token := range lease.Token(10) {
		h.observed(0, held(token+1))
	}
	if all := h.all(); len(all) != 3 || all[0].Token != 8 || all[2].Token != 10 {
		t.Errorf("%+v", all)
	}
}

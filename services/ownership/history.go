package ownership

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// A Term is one owner's time with a shard, as this replica saw it.
type Term struct {
	Shard int         `json:"shard"`
	Owner string      `json:"owner"`
	Run   string      `json:"run"` // of the owner's process
	Token lease.Token `json:"token"`
	From  time.Time   `json:"from"`
	To    *time.Time  `json:"to"` // null while it lasts
	// Ended is why it did: resigned, expired (its record is gone), unconfirmed (it could not renew in time, by its own word), lost
	// (it learnt from the store that it is not the owner), fenced (it learnt that from a worker), succeeded (another one was seen, and nothing in between).
	Ended string `json:"ended,omitempty"`

	holder string // as the store has it: a token alone is not enough, where the store was restored and gives one again
}

// A history is the newest terms, oldest first.
type history struct {
	most int
	now  func() time.Time

	mu    sync.Mutex // guards terms
	terms []*Term
}

// term returns the term of a token, and begins it if it is new. The mutex is held.
func (h *history) term(shard int, holder string, token lease.Token, since time.Time) *Term {
	for i := len(h.terms) - 1; i >= 0; i-- {
		if t := h.terms[i]; t.Shard == shard && t.Token == token && t.holder == holder {
			return t
		}
	}
	t := &Term{Shard: shard, Owner: holder, Token: token, From: since, holder: holder}
	if who, err := lease.ParseIdentity(holder); err == nil {
		t.Owner, t.Run = who.Name, who.Run
	}
	if len(h.terms) >= h.most {
		h.terms = h.terms[1:]
	}
	h.terms = append(h.terms, t)
	return t
}

// observed tells of a record. All earlier terms of the shard have ended by it.
func (h *history) observed(shard int, r lease.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	why := "succeeded"
	if r.Holder == "" {
		why = "expired"
		if r.Ended == lease.Resigned {
			why = r.Ended
		}
	} else {
		if r.Before != "" {
			why = r.Before
		}
		h.term(shard, r.Holder, r.Token, h.now().UTC())
	}
	for _, t := range h.terms {
		if t.Shard == shard && t.To == nil && (r.Holder == "" || t.Token != r.Token || t.holder != r.Holder) {
			h.end(t, why)
		}
	}
}

// ended tells why a term of this replica is over.
func (h *history) ended(shard int, holder string, token lease.Token, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.term(shard, holder, token, h.now().UTC())
	if t.To == nil {
		h.end(t, why)
	}
	t.Ended = why // the owner knows better than an observer
}

func (h *history) end(t *Term, why string) {
	now := h.now().UTC()
	t.To, t.Ended = &now, why
}

// all returns the terms, oldest first.
func (h *history) all() []Term {
	h.mu.Lock()
	defer h.mu.Unlock()
	terms := make([]Term, 0, len(h.terms))
	for _, t := range h.terms {
		terms = append(terms, *t)
	}
	return terms
}

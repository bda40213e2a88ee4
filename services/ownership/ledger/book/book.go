package book

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// What a Book refuses.
var (
	ErrSequence = errors.New("the entry is not the next one")
	ErrReused   = errors.New("the id is that of another entry")
	ErrFull     = errors.New("there is no room for another account")
	// ErrBroken is for a book whose file could not be written. What is in the
	// file then is not known: only reading it again tells.
	ErrBroken = errors.New("the book cannot be written")
)

// Stale is the error of a claim that is older than one which was seen.
type Stale struct{ Newest wire.Claim }

func (s *Stale) Error() string {
	return fmt.Sprintf("the token is older than %d of %s", s.Newest.Token, s.Newest.Owner)
}

// Limits bound a book.
type Limits struct {
	Accounts int   // most accounts
	Entries  int   // newest entries that are kept: so long is an id known
	File     int64 // bytes from which on the file is written anew
}

// A Book is one shard. All methods may be called concurrently.
type Book struct {
	limits Limits
	blind  bool // the lesson: no fence, no order
	now    func() time.Time

	mu     sync.Mutex // guards all below
	file   *file
	state  state
	ids    map[string]int // position in state.Entries, less base
	base   int            // entries that were dropped
	broken error
}

// state is what the file says.
type state struct {
	Fence    wire.Claim
	Sequence uint64
	Accounts map[string]wire.Account
	Entries  []wire.Entry // the newest, oldest first
}

// Options say how a book works.
type Options struct {
	Limits
	// Blind makes the book store whatever it is told, by whomever: the lesson of
	// what a worker without the check does to a ledger.
	Blind bool
}

// Open reads a book from its file, or begins it.
func Open(path string, o Options) (*Book, error) {
	b := &Book{limits: o.Limits, blind: o.Blind, now: time.Now, ids: map[string]int{}, state: state{Accounts: map[string]wire.Account{}}}
	f, err := openFile(path, b.replay)
	if err != nil {
		return nil, err
	}
	b.file = f
	return b, nil
}

// Close closes the file. All that was answered is in it.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.close()
}

// Admit lets the newest owner in and refuses all before it. It returns where the
// book stands.
func (b *Book) Admit(c wire.Claim) (wire.Shard, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admit(c); err != nil {
		return wire.Shard{}, err
	}
	return b.shard(), nil
}

// Peek tells where the book stands, for everybody.
func (b *Book) Peek() wire.Shard {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shard()
}

func (b *Book) shard() wire.Shard {
	s := b.state
	return wire.Shard{Sequence: s.Sequence, Token: s.Fence.Token, Owner: s.Fence.Owner, Accounts: len(s.Accounts)}
}

// Account returns an account in the name of an owner.
func (b *Book) Account(c wire.Claim, name string) (wire.Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admit(c); err != nil {
		return wire.Account{}, err
	}
	a := b.state.Accounts[name]
	a.Account = name
	return a, nil
}

// Entry returns the entry of an id, if it is still known, in the name of an owner.
func (b *Book) Entry(c wire.Claim, id string) (e wire.Entry, known bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admit(c); err != nil {
		return wire.Entry{}, false, err
	}
	at, known := b.ids[id]
	if known {
		e = b.state.Entries[at-b.base]
	}
	return e, known, nil
}

// Entries returns the newest entries, those of one account if it is not "", newest
// first.
func (b *Book) Entries(account string, most int) []wire.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []wire.Entry{}
	for i := len(b.state.Entries) - 1; i >= 0 && len(found) < most; i-- {
		if e := b.state.Entries[i]; account == "" || e.Account == account {
			found = append(found, e)
		}
	}
	return found
}

// Record records an order. An id that is known gives its entry again, and replayed.
func (b *Book) Record(c wire.Claim, o wire.Order) (e wire.Entry, replayed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admit(c); err != nil {
		return wire.Entry{}, false, err
	}
	if at, known := b.ids[o.ID]; known {
		e := b.state.Entries[at-b.base]
		if e.Account != o.Account || e.Amount != o.Amount {
			return wire.Entry{}, false, ErrReused
		}
		return e, true, nil
	}
	if !b.blind && o.Sequence != b.state.Sequence+1 {
		return wire.Entry{}, false, ErrSequence
	}
	if _, there := b.state.Accounts[o.Account]; !there && len(b.state.Accounts) >= b.limits.Accounts {
		return wire.Entry{}, false, ErrFull
	}
	e = wire.Entry{Order: o, Owner: c.Owner, Token: c.Token, At: b.now().UTC()}
	if err := b.write(change{Entry: &e}); err != nil {
		return wire.Entry{}, false, err
	}
	return e, false, nil
}

// admit is the fence. A token that is newer than all before is on disk before it
// counts.
func (b *Book) admit(c wire.Claim) error {
	newest := b.state.Fence
	switch {
	case b.broken != nil:
		return b.broken
	case c.Token > newest.Token:
		return b.write(change{Fence: &c})
	case b.blind:
		return nil
	case c.Token < newest.Token, c.Owner != newest.Owner:
		// Two owners with one token cannot be: one of them made it up.
		return &Stale{newest}
	}
	return nil
}

// write puts a change into the file and then into the state.
func (b *Book) write(ch change) error {
	if err := b.file.append(ch); err != nil {
		b.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		return b.broken
	}
	b.apply(ch)
	if b.file.size > max(b.limits.File, 2*b.file.first) {
		if err := b.file.rewrite(change{State: b.snapshot()}); err != nil {
			b.broken = fmt.Errorf("%w: %w", ErrBroken, err)
			return b.broken
		}
	}
	return nil
}

// apply makes a change to the state.
func (b *Book) apply(ch change) {
	switch {
	case ch.State != nil:
		b.restore(ch.State)
	case ch.Fence != nil:
		b.state.Fence = *ch.Fence
	case ch.Entry != nil:
		e := *ch.Entry
		b.state.Sequence = max(b.state.Sequence, e.Sequence)
		b.state.Accounts[e.Account] = wire.Account{Account: e.Account, Balance: e.Balance, Version: e.Version}
		b.remember(e)
	}
}

// remember keeps the newest entries and forgets the oldest.
func (b *Book) remember(e wire.Entry) {
	s := &b.state
	if len(s.Entries) >= b.limits.Entries {
		delete(b.ids, s.Entries[0].ID)
		s.Entries[0] = wire.Entry{} // its strings are garbage now
		s.Entries = s.Entries[1:]
		b.base++
	}
	b.ids[e.ID] = b.base + len(s.Entries)
	s.Entries = append(s.Entries, e)
}

package linear

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// Model is what an object is allowed to do.
type Model struct {
	name  string
	does  []string
	wants func(Operation) error // checks the fields of one operation
	// tells is false for an operation that is allowed in any state and changes none: it
	// may be left out of the search for an order.
	tells func(Operation) bool
	// less, if not nil, leaves out more of the operations of one key, if that changes no verdict.
	less  func([]Operation) []Operation
	start func() any
	// step tells whether the operation may happen in a state, and the state after it.
	// An unknown one that may not happen has not: it is allowed, and changes nothing.
	step     func(state any, op Operation) (bool, any)
	equal    func(a, b any) bool
	hash     func(state any) uint64
	describe func(state any) string
}

func (m Model) String() string { return m.name }

// The models.
var (
	Mutex  = mutex()
	Fence  = fence()
	Ledger = ledger()
)

// ModelOf finds a model by its name.
func ModelOf(name string) (Model, error) {
	for _, m := range []Model{Mutex, Fence, Ledger} {
		if m.name == name {
			return m, nil
		}
	}
	return Model{}, fmt.Errorf("model %q, want mutex, fence or ledger", name)
}

// mutex has as its state the grant that holds the lock, "" when it is free.
func mutex() Model {
	return Model{
		name: "mutex", does: []string{Acquire, Release, Hold, Expire},
		wants: func(op Operation) error {
			switch {
			case op.Grant == "":
				return fmt.Errorf("%s: no grant", op.Do)
			case op.Do == Expire && op.Outcome != Unknown:
				return fmt.Errorf("expire: outcome %s, want unknown: nobody is told", op.Outcome)
			}
			return only(op, true, false, false, false, false)
		},
		tells: func(op Operation) bool { return op.Do != Hold || op.Outcome != Unknown },
		start: func() any { return "" },
		step:  stepMutex,
		equal: func(a, b any) bool { return a == b },
		hash:  hashText,
		describe: func(state any) string {
			if state == "" {
				return "free"
			}
			return "held by " + state.(string)
		},
	}
}

func stepMutex(state any, op Operation) (bool, any) {
	holder := state.(string)
	legal, after := holder == op.Grant, state // release, hold and expire are the holder's
	switch op.Do {
	case Acquire:
		legal, after = holder == "", op.Grant
	case Release, Expire:
		after = ""
	}
	switch {
	case op.Outcome == Refused:
		return !legal, state
	case legal:
		return true, after
	}
	return op.Outcome == Unknown, state
}

func hashText(state any) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(state.(string))) // never fails, by its documentation
	return h.Sum64()
}

// fenceState are the largest tokens so far.
type fenceState struct{ granted, accepted uint64 }

func fence() Model {
	return Model{
		name: "fence", does: []string{Acquire, Write},
		wants: func(op Operation) error {
			carries := op.Do == Write || op.Outcome == OK
			if carries && op.Token == 0 {
				return fmt.Errorf("%s, %s: no token", op.Do, op.Outcome)
			}
			return only(op, false, carries, false, false, false)
		},
		// An acquire without an answer has given its token to nobody.
		tells: func(op Operation) bool {
			return op.Outcome == OK || op.Outcome == Unknown && op.Do == Write
		},
		start: func() any { return fenceState{} },
		step:  stepFence,
		equal: func(a, b any) bool { return a == b },
		hash:  func(state any) uint64 { s := state.(fenceState); return s.granted*31 + s.accepted },
		describe: func(state any) string {
			s := state.(fenceState)
			return fmt.Sprintf("granted %d, accepted %d", s.granted, s.accepted)
		},
	}
}

func stepFence(state any, op Operation) (bool, any) {
	s := state.(fenceState)
	switch {
	case op.Outcome == Refused:
		return true, s
	case op.Do == Acquire && op.Outcome == OK:
		return op.Token > s.granted, fenceState{max(op.Token, s.granted), s.accepted}
	case op.Do == Write && op.Token >= s.accepted:
		return true, fenceState{s.granted, op.Token}
	}
	return op.Outcome == Unknown, s
}

// ledgerState is never changed: a longer one is made of it.
type ledgerState struct {
	entries []string
	sum     uint64 // of all entries, so that long lists are rarely compared
}

func ledger() Model {
	return Model{
		name: "ledger", does: []string{Append, Read},
		wants: func(op Operation) error {
			if op.Do == Append && op.Entry == "" {
				return fmt.Errorf("append: no entry")
			}
			if op.Do == Append && op.Outcome == OK && op.Version == 0 {
				return fmt.Errorf("append, ok: no version")
			}
			done := op.Outcome == OK
			return only(op, false, false, op.Do == Append, done, done && op.Do == Read)
		},
		tells: func(op Operation) bool {
			return op.Outcome == OK || op.Outcome == Unknown && op.Do == Append
		},
		less:  lessOfLedger,
		start: func() any { return ledgerState{} },
		step:  stepLedger,
		equal: func(a, b any) bool {
			x, y := a.(ledgerState), b.(ledgerState)
			return x.sum == y.sum && slices.Equal(x.entries, y.entries)
		},
		hash:     func(state any) uint64 { return state.(ledgerState).sum },
		describe: func(state any) string { return "[" + strings.Join(state.(ledgerState).entries, " ") + "]" },
	}
}

// lessOfLedger leaves out appends without an answer, of which a search may have to try
// all orders. Of several of one entry the earliest can do all that the others can. And
// what the last read does not show, called when all else was answered, has happened
// later than all of that, if at all.
func lessOfLedger(ops []Operation) []Operation {
	last := -1
	for i, op := range ops {
		if op.Do == Read && op.Outcome == OK && (last < 0 || op.Call > ops[last].Call) {
			last = i
		}
	}
	shows := func(string) bool { return true }
	if last >= 0 && !slices.ContainsFunc(ops, func(op Operation) bool {
		return op.Outcome == OK && op.Return > ops[last].Call && op.Call != ops[last].Call
	}) {
		shows = func(entry string) bool { return slices.Contains(ops[last].Entries, entry) }
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(ops), func(op Operation) bool {
		if op.Do != Append || op.Outcome != Unknown {
			return false
		}
		leave := seen[op.Entry] || !shows(op.Entry)
		seen[op.Entry] = true
		return leave
	})
}

func stepLedger(state any, op Operation) (bool, any) {
	s := state.(ledgerState)
	if op.Do == Read {
		done := op.Outcome == OK && op.Version == uint64(len(s.entries)) && slices.Equal(op.Entries, s.entries)
		return done || op.Outcome != OK, s
	}
	if op.Outcome == Refused {
		return true, s
	}
	if at := slices.Index(s.entries, op.Entry); at >= 0 {
		return op.Outcome == Unknown || op.Version == uint64(at+1), s
	}
	if op.Outcome == OK && op.Version != uint64(len(s.entries)+1) {
		return false, s
	}
	return true, s.with(op.Entry)
}

func (s ledgerState) with(entry string) ledgerState {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", s.sum, entry) // never fails, by its documentation
	return ledgerState{append(slices.Clip(s.entries), entry), h.Sum64()}
}

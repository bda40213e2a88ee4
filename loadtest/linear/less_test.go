package linear

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"
)

// What is left out changes no verdict: small histories of every kind, most of them of a
// ledger that really was one, are checked with and without.
func TestLeavingOutChangesNoVerdict(t *testing.T) {
	whole := Ledger
	whole.less = nil
	good, less := 0, 0
	const histories = 5_000
	for seed := range uint64(histories) {
		h := History{Model: Ledger, Operations: ledgerHistory(rand.New(rand.NewPCG(seed, 0)))}
		if err := h.validate(); err != nil {
			t.Fatal(err)
		}
		full := History{Model: whole, Operations: h.Operations}
		want := porcupine.CheckOperations(whole.porcupine(), full.of("k"))
		if got := porcupine.CheckOperations(Ledger.porcupine(), h.of("k")); got != want {
			t.Fatalf("seed %d: %v, whole %v: %+v", seed, got, want, h.Operations)
		}
		if want {
			good++
		}
		if len(h.of("k")) < len(full.of("k")) {
			less++
		}
	}
	if good < histories/10 || good > histories*9/10 || less < histories/10 {
		t.Errorf("%d of %d are good, of %d something is left out: too few of a kind to tell", good, histories, less)
	}
}

// ledgerHistory lets a few calls overlap. Each happens at a moment within, or, without an
// answer, at any later one or never; some answers are then made wrong.
func ledgerHistory(r *rand.Rand) []Operation {
	type happening struct {
		op *Operation
		at int64
	}
	var ops []*Operation
	var happenings []happening
	for i := range int64(2 + r.IntN(6)) {
		op := &Operation{Client: int(i), Key: "k", Do: Append, Outcome: OK, Call: i*10 + 1}
		op.Return = op.Call + 1 + r.Int64N(40)*2
		at := op.Call + r.Int64N(op.Return-op.Call)
		switch r.IntN(5) {
		case 0, 1:
			op.Do = Read
		case 2, 3:
			op.Outcome, op.Return, at = Unknown, 0, op.Call+r.Int64N(120)
		}
		if op.Do == Append {
			op.Entry = fmt.Sprint("e", r.IntN(4))
		}
		ops = append(ops, op)
		happenings = append(happenings, happening{op, at})
	}
	var s ledgerState
	for range happenings {
		next := 0
		for i, h := range happenings {
			if h.at < happenings[next].at {
				next = i
			}
		}
		s = happen(s, happenings[next].op)
		happenings[next].at = 1 << 40
	}
	if wrong := ops[r.IntN(len(ops))]; r.IntN(2) == 0 && wrong.Outcome == OK {
		wrong.Version += uint64(r.IntN(2))
		if wrong.Do == Read && len(wrong.Entries) > 0 {
			wrong.Entries = wrong.Entries[:len(wrong.Entries)-1]
		}
	}
	var h []Operation
	for _, op := range ops {
		h = append(h, *op)
	}
	return h
}

// happen answers an operation as a ledger does.
func happen(s ledgerState, op *Operation) ledgerState {
	if op.Do == Append {
		_, after := stepLedger(s, Operation{Do: Append, Entry: op.Entry, Outcome: Unknown})
		s = after.(ledgerState)
	}
	if op.Outcome == Unknown {
		return s
	}
	op.Version = uint64(len(s.entries))
	if op.Do == Read {
		op.Entries = append([]string(nil), s.entries...)
		return s
	}
	for i, e := range s.entries {
		if e == op.Entry {
			op.Version = uint64(i + 1)
		}
	}
	return s
}

package linear_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The histories below are written by hand: an operation is what was done, and when. One
// without a return is unknown.
func acquire(grant string, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Acquire, Grant: grant}, call, back)
}

func release(grant string, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Release, Grant: grant}, call, back)
}

func hold(grant string, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Hold, Grant: grant}, call, back)
}

func expire(grant string, from int64) linear.Operation {
	return done(linear.Operation{Do: linear.Expire, Grant: grant}, from, 0)
}

func granted(token uint64, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Acquire, Token: token}, call, back)
}

func write(token uint64, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Write, Token: token}, call, back)
}

func add(entry string, version uint64, call, back int64) linear.Operation {
	return done(linear.Operation{Do: linear.Append, Entry: entry, Version: version}, call, back)
}

func read(entries string, call, back int64) linear.Operation {
	list := strings.Fields(entries)
	return done(linear.Operation{Do: linear.Read, Entries: list, Version: uint64(len(list))}, call, back)
}

func done(op linear.Operation, call, back int64) linear.Operation {
	op.Key, op.Call, op.Return, op.Outcome = "k", call, back, linear.OK
	if back == 0 {
		op.Outcome = linear.Unknown
	}
	return op
}

func refused(op linear.Operation) linear.Operation {
	op.Outcome = linear.Refused
	return op
}

func by(client int, op linear.Operation) linear.Operation {
	op.Client = client
	return op
}

func on(key string, op linear.Operation) linear.Operation {
	op.Key = key
	return op
}

type example struct {
	name string
	good bool
	ops  []linear.Operation
}

func decide(t *testing.T, model linear.Model, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			dir := t.TempDir()
			err := linear.Checker{Dir: dir}.Check(linear.History{Model: model, Operations: e.ops})
			kept, readErr := os.ReadDir(dir)
			if readErr != nil {
				t.Fatal(readErr)
			}
			switch {
			case e.good && (err != nil || len(kept) > 0):
				t.Errorf("refused: %v, kept %v", err, kept)
			case !e.good && !errors.Is(err, linear.ErrViolation):
				t.Errorf("accepted: %v", err)
			}
		})
	}
}

func TestMutex(t *testing.T) {
	decide(t, linear.Mutex, []example{
		{"one after the other", true, []linear.Operation{acquire("a", 1, 2), release("a", 3, 4), acquire("b", 5, 6)}},
		{"two hold it", false, []linear.Operation{acquire("a", 1, 2), acquire("b", 3, 4)}},
		{"two hold it, asked for at once", false, []linear.Operation{acquire("a", 1, 5), acquire("b", 2, 6)}},
		{"released while the next one waits", true, []linear.Operation{acquire("a", 1, 2), acquire("b", 3, 9), release("a", 4, 8)}},
		{"acquired before the release began", false, []linear.Operation{acquire("a", 1, 2), acquire("b", 3, 4), release("a", 5, 6)}},
		{"a release without an answer may have happened", true, []linear.Operation{acquire("a", 1, 2), release("a", 3, 0), acquire("b", 50, 60)}},
		{"and may not", true, []linear.Operation{acquire("a", 1, 2), release("a", 3, 0), refused(acquire("b", 50, 60))}},
		{"an acquire without an answer may have happened", true, []linear.Operation{acquire("a", 1, 0), refused(acquire("b", 50, 60))}},
		{"and may not", true, []linear.Operation{acquire("a", 1, 0), acquire("b", 50, 60)}},
		{"refused though it was free", false, []linear.Operation{refused(acquire("b", 1, 2))}},
		{"a lease ends after its TTL", true, []linear.Operation{acquire("a", 1, 2), acquire("b", 29, 40), expire("a", 30)}},
		{"and not before", false, []linear.Operation{acquire("a", 1, 2), acquire("b", 20, 29), expire("a", 30)}},
		{"or never", true, []linear.Operation{acquire("a", 1, 2), expire("a", 30), refused(acquire("b", 40, 50)), release("a", 60, 70)}},
		{"an expiry ends its own grant only", false, []linear.Operation{acquire("a", 1, 2), release("a", 3, 4), acquire("b", 5, 6), expire("a", 7), acquire("c", 8, 9)}},
		// The unlock without a version: a's lease has ended, b has the lock, and a, which
		// wakes, takes it from b.
		{"unlocked by somebody who no longer holds it", false, []linear.Operation{
			acquire("a", 1, 2), expire("a", 10), acquire("b", 11, 12), release("a", 13, 14), acquire("c", 15, 16), expire("b", 1000)}},
		{"whose unlock is refused", true, []linear.Operation{
			acquire("a", 1, 2), expire("a", 10), acquire("b", 11, 12), refused(release("a", 13, 14)), refused(acquire("c", 15, 16)), expire("b", 1000)}},
		{"refused to the holder", false, []linear.Operation{acquire("a", 1, 2), refused(release("a", 3, 4))}},
		{"it holds what it holds", true, []linear.Operation{acquire("a", 1, 2), hold("a", 3, 4), release("a", 5, 6), refused(hold("a", 7, 8))}},
		{"it thinks that it holds what another one has", false, []linear.Operation{acquire("a", 1, 2), expire("a", 10), acquire("b", 11, 12), hold("a", 13, 14)}},
		{"two locks", true, []linear.Operation{acquire("a", 1, 2), on("l", acquire("a", 3, 4))}},
		{"one of two is bad", false, []linear.Operation{acquire("a", 1, 2), on("l", acquire("a", 3, 4)), on("l", acquire("b", 5, 6))}},
	})
}

func TestFence(t *testing.T) {
	decide(t, linear.Fence, []example{
		{"tokens grow", true, []linear.Operation{granted(3, 1, 2), granted(9, 3, 4)}},
		{"the same token twice", false, []linear.Operation{granted(3, 1, 2), granted(3, 3, 4)}},
		{"a smaller one later", false, []linear.Operation{granted(9, 1, 2), granted(3, 3, 4)}},
		{"at once in either order", true, []linear.Operation{granted(9, 1, 4), granted(3, 2, 3)}},
		{"writes of one owner", true, []linear.Operation{granted(3, 1, 2), write(3, 3, 4), write(3, 5, 6)}},
		{"the zombie's write is accepted", false, []linear.Operation{granted(3, 1, 2), write(3, 3, 4), granted(9, 5, 6), write(9, 7, 8), write(3, 9, 10)}},
		{"the zombie's write is refused", true, []linear.Operation{granted(3, 1, 2), write(3, 3, 4), granted(9, 5, 6), write(9, 7, 8), refused(write(3, 9, 10))}},
		{"before the new owner has written", true, []linear.Operation{granted(3, 1, 2), granted(9, 3, 4), write(3, 5, 6), write(9, 7, 8)}},
		{"a write of the zombie on its way meanwhile", true, []linear.Operation{granted(3, 1, 2), write(3, 3, 20), granted(9, 5, 6), write(9, 7, 8)}},
		{"a write without an answer may have been accepted", true, []linear.Operation{write(9, 1, 0), write(3, 2, 3)}},
		{"and not before it was sent", false, []linear.Operation{write(9, 1, 2), write(3, 3, 4), write(9, 5, 0)}},
		{"an acquire without an answer tells nothing", true, []linear.Operation{granted(0, 1, 0), granted(3, 2, 3)}},
		{"refusals tell nothing", true, []linear.Operation{refused(write(9, 1, 2)), refused(granted(0, 3, 4)), write(3, 5, 6)}},
		{"shards have tokens of their own", true, []linear.Operation{write(9, 1, 2), on("l", write(3, 3, 4))}},
	})
}

func TestLedger(t *testing.T) {
	decide(t, linear.Ledger, []example{
		{"in order", true, []linear.Operation{read("", 1, 2), add("x", 1, 3, 4), add("y", 2, 5, 6), read("x y", 7, 8)}},
		{"lost", false, []linear.Operation{add("x", 1, 1, 2), read("", 3, 4)}},
		{"twice", false, []linear.Operation{add("x", 1, 1, 2), read("x x", 3, 4)}},
		{"repeated, and the same version", true, []linear.Operation{add("x", 0, 1, 0), add("x", 1, 2, 3), add("x", 1, 4, 5), read("x", 6, 7)}},
		{"repeated, and another version", false, []linear.Operation{add("x", 1, 1, 2), add("x", 2, 3, 4)}},
		{"an answer that never came: it is there", true, []linear.Operation{add("x", 0, 1, 0), read("x", 50, 60)}},
		{"it is not", true, []linear.Operation{add("x", 0, 1, 0), read("", 50, 60)}},
		{"it comes late", true, []linear.Operation{add("x", 0, 1, 0), read("", 50, 60), read("x", 70, 80)}},
		{"it is there and gone again", false, []linear.Operation{add("x", 0, 1, 0), read("x", 50, 60), read("", 70, 80)}},
		{"two make one version", false, []linear.Operation{add("x", 1, 1, 4), add("y", 1, 2, 3)}},
		{"a version is left out", false, []linear.Operation{add("x", 1, 1, 2), add("y", 3, 3, 4)}},
		{"because of one without an answer", true, []linear.Operation{add("z", 0, 0, 0), add("x", 1, 1, 2), add("y", 3, 3, 4)}},
		{"a read that is old", false, []linear.Operation{add("x", 1, 1, 2), add("y", 2, 3, 4), read("x", 5, 6)}},
		{"a refused append is there", false, []linear.Operation{refused(add("x", 0, 1, 2)), read("x", 3, 4)}},
		{"two readers see different orders", false, []linear.Operation{add("x", 0, 1, 0), add("y", 0, 2, 0), read("x y", 3, 4), read("y x", 5, 6)}},
	})
}

func TestTheViolationNamesItsKeyAndWhereItIsKept(t *testing.T) {
	h := linear.History{Model: linear.Mutex, Operations: []linear.Operation{
		acquire("a", 1, 2), on("l", by(1, acquire("b", 3, 4))), on("l", by(2, acquire("c", 5, 6))), on("l", by(1, release("b", 7, 0))), on("l", by(1, hold("b", 8, 9)))}}
	dir := t.TempDir()
	err := linear.Checker{Dir: dir + "/new/evidence"}.Check(h)
	if !errors.Is(err, linear.ErrViolation) || !strings.Contains(err.Error(), `mutex "l"`) {
		t.Fatalf("%v", err)
	}
	_, where, _ := strings.Cut(err.Error(), "kept in ")
	again, err := linear.ReadFile(where + "/history.jsonl")
	if err != nil || len(again.Operations) != len(h.Operations) {
		t.Errorf("%v, %v", again, err)
	}
	if err := (linear.Checker{Dir: dir}).Check(again); !errors.Is(err, linear.ErrViolation) {
		t.Errorf("checked again: %v", err)
	}
	drawing, err := os.ReadFile(where + "/history.html")
	if err != nil || !strings.Contains(string(drawing), "acquire(c) → ok") || !strings.Contains(string(drawing), "held by b") {
		t.Errorf("%d bytes, %v", len(drawing), err)
	}
}

func TestWhatIsNotDecidedInTimeIsAFailure(t *testing.T) {
	// Appends without answers may come in any order, and no order makes the read true. An
	// append that is answered later keeps the checker from leaving them out.
	h := linear.History{Model: linear.Ledger}
	for i := range int64(40) {
		h.Operations = append(h.Operations, add(strings.Repeat("x", int(i+1)), 0, i+1, 0))
	}
	h.Operations = append(h.Operations, by(1, read("never", 100, 101)), by(1, add("y", 1, 102, 103)))
	err := linear.Checker{Dir: t.TempDir(), Limit: 1}.Check(h)
	if !errors.Is(err, linear.ErrUndecided) || errors.Is(err, linear.ErrViolation) || !strings.Contains(err.Error(), "kept in ") {
		t.Errorf("%v", err)
	}
}

func TestNothingShowsNothing(t *testing.T) {
	if err := (linear.Checker{}).Check(linear.History{Model: linear.Mutex}); !errors.Is(err, linear.ErrEmpty) {
		t.Errorf("%v", err)
	}
	if err := (linear.Checker{}).Check(linear.History{}); err == nil {
		t.Error("a history without a model is good")
	}
}

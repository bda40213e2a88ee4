package linear

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// What Check may find. Both are failures: of a history that was not decided nobody
// knows that it is good.
var (
	ErrViolation = errors.New("no order of the operations explains the history")
	ErrUndecided = errors.New("the checker did not decide in time")
	ErrEmpty     = errors.New("nothing was recorded, which shows nothing")
)

// Checker decides about histories.
type Checker struct {
	Limit time.Duration // of all keys of a history together; a minute when 0
	Dir   string        // under which bad histories are kept; that of temporary files when ""
}

// Check returns nil when each key's operations have an order that the model allows. Of a
// history that is not good, the directory in which it is kept is part of the error, with
// the whole history (history.jsonl) and, drawn, the key that is bad (history.html).
func (c Checker) Check(h History) error {
	if err := h.validate(); err != nil {
		return err
	}
	if len(h.Operations) == 0 {
		return ErrEmpty
	}
	limit := c.Limit
	if limit == 0 {
		limit = time.Minute
	}
	deadline := time.Now().Add(limit)
	for _, key := range h.Keys() {
		// No time left is no time limit to porcupine.
		left := max(time.Until(deadline), time.Millisecond)
		result, info := porcupine.CheckOperationsVerbose(h.Model.porcupine(), h.of(key), left)
		if result == porcupine.Ok {
			continue
		}
		found := ErrViolation
		if result != porcupine.Illegal {
			found = fmt.Errorf("%w (%s)", ErrUndecided, limit)
		}
		dir, err := c.keep(h, info)
		if err != nil {
			return errors.Join(fmt.Errorf("%s %q: %w", h.Model, key, found), err)
		}
		return fmt.Errorf("%s %q: %w; it is kept in %s", h.Model, key, found, dir)
	}
	return nil
}

// of are the operations of a key that tell something. An unknown one may happen until
// after all others have; it has a row of its own in a drawing, because its client went on.
func (h History) of(key string) []porcupine.Operation {
	var ops []porcupine.Operation
	end, rows := int64(0), 0
	for _, op := range h.Operations {
		end, rows = max(end, op.Call+1, op.Return+1), max(rows, op.Client+1)
	}
	for _, op := range h.Model.told(h.Operations, key) {
		p := porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return}
		if op.Outcome == Unknown {
			p.ClientId, p.Return = rows, end
			rows++
		}
		ops = append(ops, p)
	}
	return ops
}

// told are the operations of a key, in the order of their calls, that may decide.
func (m Model) told(all []Operation, key string) []Operation {
	var ops []Operation
	for _, op := range all {
		if op.Key == key && m.tells(op) {
			ops = append(ops, op)
		}
	}
	if m.less != nil {
		ops = m.less(ops)
	}
	return ops
}

func (m Model) porcupine() porcupine.Model {
	return porcupine.Model{
		Init:              m.start,
		Step:              func(state, input, _ any) (bool, any) { return m.step(state, input.(Operation)) },
		Equal:             m.equal,
		Hash:              m.hash,
		DescribeOperation: func(input, _ any) string { return input.(Operation).String() },
		DescribeState:     m.describe,
	}
}

// String is an operation as a drawing shows it.
func (op Operation) String() string {
	about := op.Grant + op.Entry
	if op.Token != 0 {
		about = fmt.Sprintf("token %d", op.Token)
	}
	said := string(op.Outcome)
	if op.Version != 0 {
		said += fmt.Sprintf(", version %d", op.Version)
	}
	return fmt.Sprintf("%s(%s) → %s", op.Do, about, said)
}

// keep writes a history and its drawing into a new directory.
func (c Checker) keep(h History, info porcupine.LinearizationInfo) (string, error) {
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil {
			return "", fmt.Errorf("keep history: %w", err)
		}
	}
	dir, err := os.MkdirTemp(c.Dir, "history-"+h.Model.name+"-")
	if err != nil {
		return "", fmt.Errorf("keep history: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		return dir, fmt.Errorf("keep history: %w", err)
	}
	err = errors.Join(h.Write(f), f.Close())
	if err == nil {
		err = porcupine.VisualizePath(h.Model.porcupine(), info, filepath.Join(dir, "history.html"))
	}
	if err != nil {
		return dir, fmt.Errorf("keep history in %s: %w", dir, err)
	}
	return dir, nil
}

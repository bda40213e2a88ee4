package index

import (
	"errors"
	"fmt"
	"iter"
)

// Restore fills an empty index with a dump: the documents of the state at an epoch, in the order of their offsets. It then has that
// epoch alone. After an error it is of no use.
func (x *Index) Restore(epoch int64, documents iter.Seq2[Change, error]) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if x.epoch != 0 || x.table.next != 1 {
		return errors.New("restore: the index is not empty")
	}
	x.remember = false
	defer func() { x.remember = true }()
	before := int64(-1)
	for change, err := range documents {
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if change.Document == nil || change.Offset <= before || change.Offset >= epoch {
			return fmt.Errorf("restore: a dump has living documents in the order of their offsets below %d, not this at %d after %d", epoch, change.Offset, before)
		}
		if err := x.check([]Change{change}); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if x.ids[change.ID] != 0 {
			return fmt.Errorf("restore: %q is there twice", change.ID)
		}
		x.apply(&change)
		before = change.Offset
	}
	x.window = window{versions: x.options.Versions, oldest: epoch}
	x.publish(epoch)
	return nil
}

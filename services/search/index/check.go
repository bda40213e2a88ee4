package index

import "fmt"

// check refuses what cannot be applied.
func (x *Index) check(changes []Change) error {
	before, size := x.epoch-1, int64(0)
	for i := range changes {
		change := &changes[i]
		if change.Offset <= before {
			return fmt.Errorf("apply: offset %d comes after %d", change.Offset, before)
		}
		before = change.Offset
		if change.ID == "" || len(change.ID) > longestID {
			return fmt.Errorf("apply: an id has 1 to %d bytes, that at offset %d has %d", longestID, change.Offset, len(change.ID))
		}
		if d := change.Document; d != nil {
			if d.ID != change.ID || !labelled(d) || len(d.Title)+len(d.Text) > longestDocument {
				return fmt.Errorf("apply: the document %q at offset %d has another id, a label with a zero byte, or more than %d bytes", change.ID, change.Offset, longestDocument)
			}
			size += int64(len(d.Title) + len(d.Text))
		}
	}
	if x.options.MaxBytes > 0 && size > 0 && x.bytes+size > x.options.MaxBytes {
		return ErrFull
	}
	return nil
}

// What an index can take; what it is given is bounded more tightly.
const (
	longestID       = 1<<16 - 1
	longestDocument = 1 << 24
)

package index

import (
	"errors"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

// ErrUnknown says that there is no such document at an epoch.
var ErrUnknown = errors.New("there is no such document")

// View is the state of an index at an epoch.
type View struct {
	index *Index
	epoch int64
}

// Epoch is that of the view, never wire.Latest.
func (v *View) Epoch() int64 { return v.epoch }

// lock lets the view look at the index as it is now, which still has the view's epoch, or returns ErrGone.
func (v *View) lock() error {
	v.index.mu.RLock()
	if v.epoch < v.index.oldest {
		v.index.mu.RUnlock()
		return ErrGone
	}
	return nil
}

func (v *View) unlock() { v.index.mu.RUnlock() }

// version finds the visible version of an id.
func (v *View) version(id string) (number uint64, found *version, err error) {
	if err := v.lock(); err != nil {
		return 0, nil, err
	}
	defer v.unlock()
	at := cursor{table: v.index.table}
	for number = v.index.ids[id]; ; {
		found = at.find(number)
		if found == nil {
			return 0, nil, ErrUnknown
		}
		if found.visible(v.epoch) {
			return number, found, nil
		}
		number = found.previous
	}
}

// Document returns a document and the offset at which it was written.
func (v *View) Document(id string) (*document.Document, int64, error) {
	_, found, err := v.version(id)
	if err != nil {
		return nil, 0, err
	}
	return found.document(), found.added, nil
}

// document is what was indexed.
func (v *version) document() *document.Document {
	return &document.Document{ID: v.id(), Title: v.titleText(), Text: v.textText(), Labels: unpackLabels(v.labels.Value())}
}

// Dump yields the documents of the state, in the order of their offsets: what Restore takes.
func (v *View) Dump(yield func(Change) bool) error {
	if err := v.lock(); err != nil {
		return err
	}
	kept := v.index.table
	v.unlock()
	kept.each(1, func(_ uint64, found *version) bool {
		return !found.visible(v.epoch) || yield(Change{Offset: found.added, ID: found.id(), Document: found.document()})
	})
	return nil
}

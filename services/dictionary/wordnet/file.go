package wordnet

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrCorrupt is the cause of every error that New gives.
var ErrCorrupt = errors.New("not a valid dictionary file")

// Dictionary is an opened file. It is safe for concurrent use, until Close.
type Dictionary struct {
	sections [NumSections][]byte
	lemmas   int // without the sentinel
	synsets  int // without the sentinel
	release  func() error
}

// New makes a Dictionary of the bytes of a file, which must not change while it
// is used.
func New(data []byte) (*Dictionary, error) {
	d := &Dictionary{release: func() error { return nil }}
	if err := d.cut(data); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, err)
	}
	return d, nil
}

// Close gives the memory back. No method may run during or after it.
func (d *Dictionary) Close() error { return d.release() }

// Len is the number of lemmas.
func (d *Dictionary) Len() int { return d.lemmas }

// cut reads the header and cuts the sections out.
func (d *Dictionary) cut(data []byte) error {
	if len(data) < HeaderSize || string(data[:8]) != Magic {
		return errors.New("the header is missing")
	}
	if v := le.Uint32(data[8:]); v != Version {
		return fmt.Errorf("format version %d, want %d", v, Version)
	}
	if n := le.Uint32(data[12:]); n != uint32(NumSections) {
		return fmt.Errorf("%d sections, want %d", n, NumSections)
	}
	if size := le.Uint64(data[16:]); size != uint64(len(data)) {
		return fmt.Errorf("%d bytes, the header says %d", len(data), size)
	}
	for s := range NumSections {
		offset, size := uint64(le.Uint32(data[24+8*s:])), uint64(le.Uint32(data[28+8*s:]))
		if offset < uint64(HeaderSize) || offset%8 != 0 || offset+size > uint64(len(data)) || size%uint64(recordSize[s]) != 0 {
			return fmt.Errorf("section %d lies at %d, %d bytes", s, offset, size)
		}
		d.sections[s] = data[offset : offset+size : offset+size]
	}
	d.lemmas, d.synsets = d.count(Lemmas)-1, d.count(Synsets)-1
	if d.lemmas < 1 || d.synsets < 1 {
		return errors.New("there are no words")
	}
	return nil
}

func (d *Dictionary) count(s Section) int { return len(d.sections[s]) / recordSize[s] }

// u32 is a field, counted in u32, of a record.
func (d *Dictionary) u32(s Section, record, field int) uint32 {
	return le.Uint32(d.sections[s][record*recordSize[s]+4*field:])
}

// u8 is a byte of a record.
func (d *Dictionary) u8(s Section, record, at int) uint8 {
	return d.sections[s][record*recordSize[s]+at]
}

// key returns the text of a lemma: a view of the file.
func (d *Dictionary) key(lemma int) []byte {
	return d.sections[LemmaText][d.u32(Lemmas, lemma, 0):d.u32(Lemmas, lemma+1, 0)]
}

func (d *Dictionary) weight(lemma int) uint32 { return d.u32(Lemmas, lemma, 2) }

// sensesOf returns the range of a lemma's senses.
func (d *Dictionary) sensesOf(lemma int) (from, to int) {
	return int(d.u32(Lemmas, lemma, 1)), int(d.u32(Lemmas, lemma+1, 1))
}

// wordsOf and pointersOf return the ranges of a synset's members and pointers.
func (d *Dictionary) wordsOf(synset int) (from, to int) {
	return int(d.u32(Synsets, synset, 1)), int(d.u32(Synsets, synset+1, 1))
}

func (d *Dictionary) pointersOf(synset int) (from, to int) {
	return int(d.u32(Synsets, synset, 2)), int(d.u32(Synsets, synset+1, 2))
}

// gloss returns the text of a synset: a view of the file.
func (d *Dictionary) gloss(synset int) []byte {
	return d.sections[Text][d.u32(Synsets, synset, 0):d.u32(Synsets, synset+1, 0)]
}

// counted reads { length u8, bytes } at an offset of a section.
func (d *Dictionary) counted(s Section, offset uint32) []byte {
	data := d.sections[s][offset:]
	return data[1 : 1+int(data[0])]
}

// hasCounted tells whether counted would stay inside the section.
func (d *Dictionary) hasCounted(s Section, offset uint32) bool {
	data := d.sections[s]
	return uint64(offset) < uint64(len(data)) && int(offset)+1+int(data[offset]) <= len(data) && data[offset] > 0
}

// search returns the first lemma in [from, to) that is not less than key.
func (d *Dictionary) search(from, to int, key []byte) int {
	for from < to {
		middle := int(uint(from+to) >> 1)
		if bytes.Compare(d.key(middle), key) < 0 {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from
}

// find returns the lemma of a key, or -1.
func (d *Dictionary) find(key string) int {
	k := []byte(key)
	if i := d.search(0, d.lemmas, k); i < d.lemmas && bytes.Equal(d.key(i), k) {
		return i
	}
	return -1
}

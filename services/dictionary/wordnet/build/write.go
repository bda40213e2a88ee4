package build

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// Build returns the file for the WordNet files in dir, already checked.
func Build(dir fs.FS) ([]byte, error) {
	src, err := read(dir)
	if err != nil {
		return nil, err
	}
	w := newWriter(src)
	if err := errors.Join(w.writeSynsets(), w.writeLemmas(), w.writeExceptions()); err != nil {
		return nil, err
	}
	data := w.file()
	if _, err := wordnet.New(data); err != nil {
		return nil, err
	}
	return data, nil
}

// writer collects the sections.
type writer struct {
	src      *source
	keys     []string       // sorted
	number   map[string]int // of a key
	sections [wordnet.NumSections][]byte
	names    map[string]uint32 // offsets of what is in Names already
	excTexts map[string]uint32
}

func newWriter(src *source) *writer {
	w := &writer{src: src, keys: slices.Sorted(maps.Keys(src.lemmas)), number: map[string]int{}, names: map[string]uint32{}, excTexts: map[string]uint32{}}
	for i, key := range w.keys {
		w.number[key] = i
	}
	return w
}

func (w *writer) u32(s wordnet.Section, values ...int) {
	for _, v := range values {
		w.sections[s] = binary.LittleEndian.AppendUint32(w.sections[s], uint32(v))
	}
}

func (w *writer) bytes(s wordnet.Section, values ...uint8) {
	w.sections[s] = append(w.sections[s], values...)
}

// counted appends { length u8, bytes } once per text and returns its offset.
func (w *writer) counted(s wordnet.Section, seen map[string]uint32, text string) int {
	offset, ok := seen[text]
	if !ok {
		offset = uint32(len(w.sections[s]))
		seen[text] = offset
		w.bytes(s, uint8(len(text)))
		w.sections[s] = append(w.sections[s], text...)
	}
	return int(offset)
}

func (w *writer) writeSynsets() error {
	words, pointers := 0, 0
	for _, one := range w.src.synsets {
		w.u32(wordnet.Synsets, len(w.sections[wordnet.Text]), words, pointers)
		w.bytes(wordnet.Synsets, uint8(one.pos), one.lexFile, 0, 0)
		w.sections[wordnet.Text] = append(w.sections[wordnet.Text], one.gloss...)
		if err := errors.Join(w.writeWords(one), w.writePointers(one)); err != nil {
			return fmt.Errorf("synset %d of %s: %w", one.offset, one.pos, err)
		}
		words, pointers = words+len(one.words), pointers+len(one.pointers)
	}
	w.u32(wordnet.Synsets, len(w.sections[wordnet.Text]), words, pointers, 0)
	return nil
}

func (w *writer) writeWords(one *synset) error {
	for _, word := range one.words {
		key := strings.ToLower(word.written)
		number, ok := w.number[key]
		if !ok {
			return fmt.Errorf("%q is not in the index", word.written)
		}
		w.u32(wordnet.Words, number|int(word.position)<<30)
		if key == word.written {
			w.u32(wordnet.Words, int(wordnet.AsKey))
		} else {
			w.u32(wordnet.Words, w.counted(wordnet.Names, w.names, word.written))
		}
	}
	return nil
}

func (w *writer) writePointers(one *synset) error {
	for _, p := range one.pointers {
		target, ok := w.src.byOffset[p.target]
		if !ok {
			return fmt.Errorf("no %s synset at %d", p.target.pos, p.target.offset)
		}
		w.u32(wordnet.Pointers, target)
		w.bytes(wordnet.Pointers, uint8(p.kind), p.from, p.to, 0)
	}
	return nil
}

func (w *writer) writeLemmas() error {
	senses := 0
	for _, key := range w.keys {
		text := len(w.sections[wordnet.LemmaText])
		n, weight, err := w.writeSenses(key)
		if err != nil {
			return err
		}
		w.u32(wordnet.Lemmas, text, senses, weight)
		w.sections[wordnet.LemmaText] = append(w.sections[wordnet.LemmaText], key...)
		senses += n
	}
	w.u32(wordnet.Lemmas, len(w.sections[wordnet.LemmaText]), senses, 0)
	return nil
}

// writeSenses writes the senses of a lemma and returns how many there are, and
// its weight.
func (w *writer) writeSenses(key string) (n, weight int, err error) {
	for p, offsets := range w.src.lemmas[key].senses {
		pos := wordnet.PartOfSpeech(p)
		for i, offset := range offsets {
			synset := w.src.byOffset[at{pos, offset}]
			member := slices.IndexFunc(w.src.synsets[synset].words, func(x word) bool { return strings.ToLower(x.written) == key })
			count := w.src.counts[sense{key, pos, i + 1}]
			if member < 0 || count > math.MaxUint16 {
				return 0, 0, fmt.Errorf("sense %d of %s is not in its synset, or too common", i+1, key)
			}
			w.u32(wordnet.Senses, synset)
			w.bytes(wordnet.Senses, uint8(member), uint8(pos), uint8(count), uint8(count>>8))
			n, weight = n+1, weight+1+count
		}
	}
	return n, weight, nil
}

func (w *writer) writeExceptions() error {
	slices.SortStableFunc(w.src.exceptions, func(a, b exception) int {
		if a.pos != b.pos {
			return int(a.pos) - int(b.pos)
		}
		return strings.Compare(a.form, b.form)
	})
	for _, e := range w.src.exceptions {
		if len(e.form) > math.MaxUint8 || len(e.base) > math.MaxUint8 {
			return fmt.Errorf("exception %q is too long", e.form)
		}
		w.u32(wordnet.Exceptions, w.counted(wordnet.ExceptionText, w.excTexts, e.form), w.counted(wordnet.ExceptionText, w.excTexts, e.base))
		w.bytes(wordnet.Exceptions, uint8(e.pos), 0, 0, 0)
	}
	return nil
}

// file puts the sections behind the header.
func (w *writer) file() []byte {
	data := make([]byte, wordnet.HeaderSize)
	copy(data, wordnet.Magic)
	binary.LittleEndian.PutUint32(data[8:], wordnet.Version)
	binary.LittleEndian.PutUint32(data[12:], uint32(wordnet.NumSections))
	for s, section := range w.sections {
		data = append(data, make([]byte, -len(data)&7)...)
		binary.LittleEndian.PutUint32(data[24+8*s:], uint32(len(data)))
		binary.LittleEndian.PutUint32(data[28+8*s:], uint32(len(section)))
		data = append(data, section...)
	}
	binary.LittleEndian.PutUint64(data[16:], uint64(len(data)))
	return data
}

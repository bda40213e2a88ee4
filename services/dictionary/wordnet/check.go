package wordnet

import (
	"bytes"
	"errors"
	"fmt"
)

// check looks at every record once, so that no later access can leave its
// section. It costs some milliseconds for WordNet.
func (d *Dictionary) check() error {
	for _, one := range []func() error{d.checkLemmas, d.checkSynsets, d.checkWords, d.checkSenses, d.checkPointers, d.checkExceptions} {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

// checkRanges holds that a field of a table with a sentinel never falls and ends
// at the end of what it points into.
func (d *Dictionary) checkRanges(s Section, field, end int) error {
	last := uint32(0)
	for i := range d.count(s) {
		v := d.u32(s, i, field)
		if v < last {
			return fmt.Errorf("section %d: record %d falls back", s, i)
		}
		last = v
	}
	if int(last) != end || d.u32(s, 0, field) != 0 {
		return fmt.Errorf("section %d: field %d covers %d of %d", s, field, last, end)
	}
	return nil
}

func (d *Dictionary) checkLemmas() error {
	if err := errors.Join(d.checkRanges(Lemmas, 0, len(d.sections[LemmaText])), d.checkRanges(Lemmas, 1, d.count(Senses))); err != nil {
		return err
	}
	var last []byte
	for i := range d.lemmas {
		key := d.key(i)
		from, to := d.sensesOf(i)
		if len(key) > 255 || bytes.Compare(last, key) >= 0 || from == to {
			return fmt.Errorf("lemma %d is out of order or empty", i)
		}
		for _, c := range key {
			if c <= ' ' || c > '~' {
				return fmt.Errorf("lemma %d has a byte %#02x", i, c)
			}
		}
		last = key
	}
	return nil
}

func (d *Dictionary) checkSynsets() error {
	err := errors.Join(d.checkRanges(Synsets, 0, len(d.sections[Text])),
		d.checkRanges(Synsets, 1, d.count(Words)), d.checkRanges(Synsets, 2, d.count(Pointers)))
	if err != nil {
		return err
	}
	for i := range d.synsets {
		if from, to := d.wordsOf(i); from == to || d.u8(Synsets, i, 12) > uint8(Satellite) {
			return fmt.Errorf("synset %d has no words or no part of speech", i)
		}
	}
	return nil
}

func (d *Dictionary) checkWords() error {
	for i := range d.count(Words) {
		written := d.u32(Words, i, 1)
		if int(d.u32(Words, i, 0)&lemmaBits) >= d.lemmas || written != AsKey && !d.hasCounted(Names, written) {
			return fmt.Errorf("word %d points nowhere", i)
		}
	}
	return nil
}

func (d *Dictionary) checkSenses() error {
	for lemma := range d.lemmas {
		from, to := d.sensesOf(lemma)
		last := Noun
		for i := from; i < to; i++ {
			synset, word, pos := d.u32(Senses, i, 0), int(d.u8(Senses, i, 4)), PartOfSpeech(d.u8(Senses, i, 5))
			if int(synset) >= d.synsets || pos > Adverb || pos < last {
				return fmt.Errorf("sense %d points nowhere", i)
			}
			first, end := d.wordsOf(int(synset))
			if first+word >= end || int(d.u32(Words, first+word, 0)&lemmaBits) != lemma {
				return fmt.Errorf("sense %d is not in its synset", i)
			}
			last = pos
		}
	}
	return nil
}

func (d *Dictionary) checkPointers() error {
	for synset := range d.synsets {
		first, end := d.wordsOf(synset)
		from, to := d.pointersOf(synset)
		for i := from; i < to; i++ {
			target := int(d.u32(Pointers, i, 0))
			if target >= d.synsets || int(d.u8(Pointers, i, 4)) >= len(KindSymbols) {
				return fmt.Errorf("pointer %d points nowhere", i)
			}
			targetFirst, targetEnd := d.wordsOf(target)
			if int(d.u8(Pointers, i, 5)) > end-first || int(d.u8(Pointers, i, 6)) > targetEnd-targetFirst {
				return fmt.Errorf("pointer %d names no word", i)
			}
		}
	}
	return nil
}

func (d *Dictionary) checkExceptions() error {
	for i := range d.count(Exceptions) {
		form, base := d.u32(Exceptions, i, 0), d.u32(Exceptions, i, 1)
		if !d.hasCounted(ExceptionText, form) || !d.hasCounted(ExceptionText, base) || d.u8(Exceptions, i, 8) > uint8(Adverb) {
			return fmt.Errorf("exception %d points nowhere", i)
		}
		if i > 0 && d.compareException(i-1, PartOfSpeech(d.u8(Exceptions, i, 8)), d.counted(ExceptionText, form)) > 0 {
			return fmt.Errorf("exception %d is out of order", i)
		}
	}
	return nil
}

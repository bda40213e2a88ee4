package build

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// files are the ends of the names of WordNet's files, by part of speech.
var files = [...]string{wordnet.Noun: "noun", wordnet.Verb: "verb", wordnet.Adjective: "adj", wordnet.Adverb: "adv"}

// at names a synset as WordNet does: by file and offset.
type at struct {
	pos    wordnet.PartOfSpeech
	offset uint32
}

// source is WordNet as it is published, parsed.
type source struct {
	lemmas     map[string]*lemma
	synsets    []*synset // in the order of the files
	byOffset   map[at]int
	exceptions []exception
	counts     map[sense]int
}

type lemma struct{ senses [len(files)][]uint32 } // offsets of synsets, commonest first

type synset struct {
	at
	pos      wordnet.PartOfSpeech // may be Satellite
	lexFile  uint8
	words    []word
	pointers []pointer
	gloss    string
}

type word struct {
	written  string // without the marker
	position uint8
}

type pointer struct {
	kind     wordnet.Kind
	target   at
	from, to uint8
}

type exception struct {
	pos        wordnet.PartOfSpeech
	form, base string
}

// sense numbers the senses of a lemma as a part of speech from 1.
type sense struct {
	key    string
	pos    wordnet.PartOfSpeech
	number int
}

// read parses all files.
func read(dir fs.FS) (*source, error) {
	s := &source{lemmas: map[string]*lemma{}, byOffset: map[at]int{}, counts: map[sense]int{}}
	for pos, name := range files {
		p := wordnet.PartOfSpeech(pos)
		err := errors.Join(
			lines(dir, "data."+name, func(line string) error { return s.addSynset(p, line) }),
			lines(dir, "index."+name, func(line string) error { return s.addLemma(p, line) }),
			lines(dir, name+".exc", func(line string) error { return s.addExceptions(p, line) }),
		)
		if err != nil {
			return nil, err
		}
	}
	return s, lines(dir, "cntlist.rev", s.addCount)
}

// lines calls parse with each line but the licence, which is indented.
func lines(dir fs.FS, name string, parse func(string) error) error {
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		if line := scanner.Text(); !strings.HasPrefix(line, " ") {
			if err := parse(line); err != nil {
				return fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
	}
	return scanner.Err()
}

// fields reads the columns of a line one after the other; the first error stays.
type fields struct {
	rest []string
	err  error
}

func (f *fields) next() string {
	if len(f.rest) == 0 {
		f.err = errors.Join(f.err, errors.New("the line is too short"))
		return ""
	}
	one := f.rest[0]
	f.rest = f.rest[1:]
	return one
}

func (f *fields) number(base, bits int) uint64 {
	n, err := strconv.ParseUint(f.next(), base, bits)
	f.err = errors.Join(f.err, err)
	return n
}

// addLemma parses a line of an index file:
// lemma pos synset_cnt p_cnt [symbol…] sense_cnt tagsense_cnt offset…
func (s *source) addLemma(pos wordnet.PartOfSpeech, line string) error {
	f := fields{rest: strings.Fields(line)}
	key := f.next()
	f.next()
	senses := int(f.number(10, 16))
	for range f.number(10, 16) {
		f.next()
	}
	f.next()
	f.next()
	if s.lemmas[key] == nil {
		s.lemmas[key] = &lemma{}
	}
	for range senses {
		offset := uint32(f.number(10, 32))
		if _, ok := s.byOffset[at{pos, offset}]; !ok && f.err == nil {
			return fmt.Errorf("%s: no synset at %d", key, offset)
		}
		s.lemmas[key].senses[pos] = append(s.lemmas[key].senses[pos], offset)
	}
	return f.err
}

// addExceptions parses a line of an exception list: form base…
func (s *source) addExceptions(pos wordnet.PartOfSpeech, line string) error {
	f := strings.Fields(line)
	if len(f) < 2 {
		return errors.New("the line is too short")
	}
	for _, base := range f[1:] {
		s.exceptions = append(s.exceptions, exception{pos: pos, form: f[0], base: base})
	}
	return nil
}

// addCount parses a line of cntlist.rev: sense_key sense_number tag_cnt, where
// sense_key is lemma%ss_type:….
func (s *source) addCount(line string) error {
	f := fields{rest: strings.Fields(line)}
	key, rest, ok := strings.Cut(f.next(), "%")
	if !ok || rest == "" || rest[0] < '1' || rest[0] > '5' {
		return fmt.Errorf("%q is no sense key", line)
	}
	pos := wordnet.PartOfSpeech(rest[0] - '1')
	if pos == wordnet.Satellite {
		pos = wordnet.Adjective
	}
	number := int(f.number(10, 16))
	s.counts[sense{key, pos, number}] = int(f.number(10, 16))
	return f.err
}

package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
)

// addSynset parses a line of a data file:
//
//	offset lex_filenum ss_type w_cnt (word lex_id)… p_cnt (symbol offset pos from/to)… [frames] | gloss
//
// w_cnt and from/to are hexadecimal.
func (s *source) addSynset(pos wordnet.PartOfSpeech, line string) error {
	head, gloss, ok := strings.Cut(line, " | ")
	if !ok {
		return errors.New("there is no gloss")
	}
	f := fields{rest: strings.Fields(head)}
	one := &synset{at: at{pos, uint32(f.number(10, 32))}, lexFile: uint8(f.number(10, 8)), pos: pos, gloss: split(gloss)}
	if f.next() == "s" {
		one.pos = wordnet.Satellite
	}
	for range f.number(16, 8) {
		one.words = append(one.words, parseWord(f.next()))
		f.next() // lex_id: part of sense keys only
	}
	for range f.number(10, 16) {
		p, err := parsePointer(&f)
		if err != nil {
			return err
		}
		one.pointers = append(one.pointers, p)
	}
	s.byOffset[one.at] = len(s.synsets)
	s.synsets = append(s.synsets, one)
	return f.err
}

// parseWord takes the marker of an adjective's position off: "galore(ip)".
func parseWord(text string) word {
	for position, marker := range wordnet.Positions {
		if written, ok := strings.CutSuffix(text, marker); ok && marker != "" {
			return word{written, uint8(position)}
		}
	}
	return word{written: text}
}

var letters = map[string]wordnet.PartOfSpeech{
	"n": wordnet.Noun, "v": wordnet.Verb, "a": wordnet.Adjective, "s": wordnet.Adjective, "r": wordnet.Adverb,
}

func parsePointer(f *fields) (pointer, error) {
	symbol := f.next()
	kind := slices.Index(wordnet.KindSymbols[:], symbol)
	offset := uint32(f.number(10, 32))
	pos, known := letters[f.next()]
	fromTo := f.number(16, 16)
	if kind < 0 || !known {
		return pointer{}, fmt.Errorf("pointer %q: %w", symbol, errors.Join(f.err, errors.New("unknown kind or part of speech")))
	}
	return pointer{wordnet.Kind(kind), at{pos, offset}, uint8(fromTo >> 8), uint8(fromTo)}, nil
}

// split divides a gloss into the definition and the quoted examples, one a line.
// Text between or after examples that is not quoted (an author's name, a
// continuation) stays with what it follows. Some two dozen glosses have an odd
// number of quotes; what follows the last one is an example there.
func split(gloss string) string {
	gloss = strings.TrimSpace(gloss)
	definition, rest, found := strings.Cut(gloss, `"`)
	lines := []string{trim(definition)}
	for found {
		var example, between string
		example, rest, _ = strings.Cut(rest, `"`)
		between, rest, found = strings.Cut(rest, `"`)
		if example = trim(example); example != "" {
			if by := trim(between); strings.HasPrefix(by, "-") {
				example += " " + by
			} else if by != "" {
				lines[0] += "; " + by
			}
			lines = append(lines, example)
		}
	}
	if lines[0] == "" { // nothing but a quotation
		return trim(gloss)
	}
	return strings.Join(lines, "\n")
}

func trim(s string) string { return strings.Trim(s, " ;,:") }

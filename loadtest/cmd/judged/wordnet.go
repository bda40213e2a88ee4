package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A synset is one meaning, with the words that have it.
type synset struct {
	id         string // v00001740
	words      []string
	definition string
	examples   []string
	relatives  []string // ids
}

// read reads the synsets of verbs and adjectives: those that mostly have example sentences.
func read(dir string) ([]synset, error) {
	var all []synset
	for _, part := range []string{"verb", "adj"} {
		synsets, err := readFile(filepath.Join(dir, "data."+part))
		if err != nil {
			return nil, err
		}
		all = append(all, synsets...)
	}
	slices.SortFunc(all, func(a, b synset) int { return strings.Compare(a.id, b.id) })
	return all, nil
}

func readFile(name string) ([]synset, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []synset
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "  ") {
			continue // the licence
		}
		s, err := parse(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// parse reads a line as wndb(5WN) has it: offset, file, type, words with a hexadecimal count, pointers with a decimal one, then the gloss.
func parse(line string) (synset, error) {
	data, gloss, found := strings.Cut(line, " | ")
	columns := strings.Fields(data)
	if !found || len(columns) < 6 {
		return synset{}, errors.New("no synset: want offset, file, type, words, pointers | gloss")
	}
	s := synset{id: part(columns[2]) + columns[0]}
	s.definition, s.examples = split(gloss)
	words, err := strconv.ParseUint(columns[3], 16, 8)
	if err != nil || len(columns) < 4+2*int(words)+1 {
		return synset{}, fmt.Errorf("%q words: want a number, and so many", columns[3])
	}
	columns = columns[4:]
	for range words {
		word, _, _ := strings.Cut(columns[0], "(") // beautiful(p): where an adjective may stand
		s.words = append(s.words, strings.ReplaceAll(word, "_", " "))
		columns = columns[2:]
	}
	pointers, err := strconv.Atoi(columns[0])
	if err != nil || pointers < 0 || len(columns) < 1+4*pointers {
		return synset{}, fmt.Errorf("%q pointers: want a number, and so many", columns[0])
	}
	columns = columns[1:]
	for range pointers {
		if id := part(columns[2]) + columns[1]; isClose(columns[0]) && id[0] == s.id[0] && !slices.Contains(s.relatives, id) {
			s.relatives = append(s.relatives, id)
		}
		columns = columns[4:]
	}
	return s, nil
}

// part is the part of speech as it begins an id: satellites of adjectives are adjectives.
func part(kind string) string { return strings.Replace(kind, "s", "a", 1) }

// isClose leaves out hyponyms, of which a general verb has hundreds, and opposites.
func isClose(pointer string) bool { return slices.Contains([]string{"@", "$", "&", "^"}, pointer) }

// split cuts a gloss into its definition, which ends with the first quotation mark, and its example sentences, which stand in such.
func split(gloss string) (definition string, examples []string) {
	definition, rest, _ := strings.Cut(gloss, `"`)
	for rest != "" {
		example, after, _ := strings.Cut(rest, `"`)
		examples = append(examples, example)
		_, rest, _ = strings.Cut(after, `"`)
	}
	return strings.TrimRight(definition, " ;:,("), examples
}

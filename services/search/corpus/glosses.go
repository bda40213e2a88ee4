package corpus

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

// files are WordNet's, in the order in which they are read. The letter begins the ids of their documents, as offsets are only unique within
// a file; satellites of adjectives stand in data.adj, and are adjectives.
var files = []struct{ name, letter, pos string }{
	{"data.noun", "n", "noun"}, {"data.verb", "v", "verb"}, {"data.adj", "a", "adjective"}, {"data.adv", "r", "adverb"},
}

// lexicographers are the names of WordNet's source files, by the number that each line has: lexnames(5WN).
var lexicographers = [...]string{
	"adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute", "noun.body",
	"noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group", "noun.location", "noun.motive",
	"noun.object", "noun.person", "noun.phenomenon", "noun.plant", "noun.possession", "noun.process", "noun.quantity", "noun.relation",
	"noun.shape", "noun.state", "noun.substance", "noun.time", "verb.body", "verb.change", "verb.cognition", "verb.communication",
	"verb.competition", "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion", "verb.perception",
	"verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl",
}

// Write writes the documents of WordNet's files, a line of JSON each, and tells how many there are. The same files give the same bytes.
func Write(to io.Writer, wordnet fs.FS) (int, error) {
	out := bufio.NewWriter(to)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	count := 0
	for _, file := range files {
		in, err := wordnet.Open(file.name)
		if err != nil {
			return 0, fmt.Errorf("open WordNet: %w", err)
		}
		defer in.Close()
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, 1<<20)
		for number := 1; scanner.Scan(); number++ {
			if strings.HasPrefix(scanner.Text(), "  ") { // the licence, with which each file begins
				continue
			}
			d, err := gloss(scanner.Text(), file.letter, file.pos)
			if err == nil {
				err = lines.Encode(d)
			}
			if err != nil {
				return 0, fmt.Errorf("%s:%d: %w", file.name, number, err)
			}
			count++
		}
		if err := scanner.Err(); err != nil {
			return 0, fmt.Errorf("read %s: %w", file.name, err)
		}
	}
	return count, out.Flush()
}

// gloss parses a line of a data file, as far as it is needed; the number of words is hexadecimal:
//
//	offset lex_filenum ss_type w_cnt (word lex_id)… … | gloss
func gloss(line, letter, pos string) (document.Document, error) {
	head, text, ok := strings.Cut(line, " | ")
	fields := strings.Fields(head)
	if !ok || len(fields) < 6 {
		return document.Document{}, errors.New("this is not a set of synonyms with its gloss")
	}
	file, err := strconv.Atoi(fields[1])
	if err != nil || file < 0 || file >= len(lexicographers) {
		return document.Document{}, fmt.Errorf("there is no lexicographer file %q", fields[1])
	}
	count, err := strconv.ParseUint(fields[3], 16, 8)
	if err != nil || count == 0 || len(fields) < 4+2*int(count) {
		return document.Document{}, fmt.Errorf("there are not %q words", fields[3])
	}
	words := make([]string, count)
	for i := range words {
		word, _, _ := strings.Cut(fields[4+2*i], "(") // an adjective may have a marker of its place: galore(ip)
		words[i] = strings.ReplaceAll(word, "_", " ")
	}
	d := document.Document{
		ID: letter + fields[0], Title: strings.Join(words, ", "), Text: strings.TrimSpace(text),
		Labels: map[string]string{"pos": pos, "file": lexicographers[file]},
	}
	return d, document.Check(d)
}

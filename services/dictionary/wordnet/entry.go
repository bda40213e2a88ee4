package wordnet

import (
	"bytes"
	"net/url"
	"slices"
)

// MaxLinks bounds every list of links of a sense: "city" alone has 600 instances.
const MaxLinks = 24

// Entry is all that is known of a word.
type Entry struct {
	Word   string `json:"word"`              // as it is written: "Canis familiaris"
	Key    string `json:"key"`               // as it stands in the URL: "canis_familiaris"
	FormOf []Link `json:"form_of,omitempty"` // lemmas of which it is an inflected form
	Parts  []Part `json:"entries"`
}

// Part is one lemma as one part of speech.
type Part struct {
	Lemma        Link    `json:"lemma"`
	PartOfSpeech string  `json:"part_of_speech"`
	Senses       []Sense `json:"senses"`
}

// Sense is one meaning. The lists of links have at most MaxLinks members.
type Sense struct {
	Definition string   `json:"definition"`
	Examples   []string `json:"examples,omitempty"`
	Position   string   `json:"position,omitempty"`  // of an adjective that has only one: "predicative", …
	Synonyms   []Link   `json:"synonyms,omitempty"`  // the other words of the synset
	Antonyms   []Link   `json:"antonyms,omitempty"`  //
	Hypernyms  []Link   `json:"hypernyms,omitempty"` // more general
	Hyponyms   []Link   `json:"hyponyms,omitempty"`  // more special
	Holonyms   []Link   `json:"holonyms,omitempty"`  // that of which it is a part, a member or the substance
	Meronyms   []Link   `json:"meronyms,omitempty"`  // its parts, members and substances
	Similar    []Link   `json:"similar,omitempty"`
	Derived    []Link   `json:"derived,omitempty"` // other words of the same root
	SeeAlso    []Link   `json:"see_also,omitempty"`
}

// Link leads to the page of a word.
type Link struct {
	Word string `json:"word"`
	Href string `json:"href"`
}

// Path is the canonical URL path of a key: one segment, "/" in it escaped.
func Path(key string) string { return "/" + url.PathEscape(key) }

// Entry collects what is known of a match: the lemma itself in all its parts of
// speech or, where the word is only an inflected form, its bases in those parts of
// speech in which they can have that form.
func (d *Dictionary) Entry(m Match) Entry {
	e := Entry{Key: m.Key, Word: spoken([]byte(m.Key)), Parts: []Part{}}
	for _, base := range m.Bases {
		e.FormOf = append(e.FormOf, d.link(base.lemma))
	}
	if m.Lemma {
		e.Word = d.written(m.lemma)
		e.Parts = d.parts(m.lemma, nil)
		return e
	}
	for _, base := range m.Bases {
		e.Parts = append(e.Parts, d.parts(base.lemma, base.As)...)
	}
	return e
}

// parts returns a lemma's senses by part of speech; only those in as, if any.
func (d *Dictionary) parts(lemma int, as []PartOfSpeech) []Part {
	var parts []Part
	last := Satellite // never that of a sense
	from, to := d.sensesOf(lemma)
	for i := from; i < to; i++ {
		pos := PartOfSpeech(d.u8(Senses, i, 5))
		if as != nil && !slices.Contains(as, pos) {
			continue
		}
		if pos != last {
			parts = append(parts, Part{Lemma: d.link(lemma), PartOfSpeech: pos.String()})
			last = pos
		}
		at := &parts[len(parts)-1]
		at.Senses = append(at.Senses, d.sense(i))
	}
	return parts
}

var positionNames = [...]string{anyPosition: "", predicative: "predicative", attributive: "attributive", postnominal: "immediately postnominal"}

func (d *Dictionary) sense(i int) Sense {
	synset, member := int(d.u32(Senses, i, 0)), int(d.u8(Senses, i, 4))
	lines := bytes.Split(d.gloss(synset), []byte{'\n'})
	s := Sense{Definition: string(lines[0])}
	for _, example := range lines[1:] {
		s.Examples = append(s.Examples, string(example))
	}
	from, to := d.wordsOf(synset)
	s.Position = positionNames[d.u32(Words, from+member, 0)>>30]
	for w := from; w < to; w++ {
		if w != from+member {
			s.Synonyms = add(s.Synonyms, d.wordLink(w))
		}
	}
	d.relate(&s, synset, member)
	return s
}

// relate follows the pointers of a synset, and those of its one member.
func (d *Dictionary) relate(s *Sense, synset, member int) {
	from, to := d.pointersOf(synset)
	for i := from; i < to; i++ {
		if source := int(d.u8(Pointers, i, 5)); source != 0 && source != member+1 {
			continue // of another word of the synset
		}
		list := s.list(Kind(d.u8(Pointers, i, 4)))
		if list == nil || len(*list) >= MaxLinks {
			continue
		}
		word, _ := d.wordsOf(int(d.u32(Pointers, i, 0)))
		if target := int(d.u8(Pointers, i, 6)); target > 0 {
			word += target - 1
		}
		*list = add(*list, d.wordLink(word))
	}
}

// list returns where a pointer of the kind belongs, or nil.
func (s *Sense) list(kind Kind) *[]Link {
	switch KindSymbols[kind] {
	case "!":
		return &s.Antonyms
	case "@", "@i":
		return &s.Hypernyms
	case "~", "~i":
		return &s.Hyponyms
	case "#m", "#s", "#p":
		return &s.Holonyms
	case "%m", "%s", "%p":
		return &s.Meronyms
	case "&", "$":
		return &s.Similar
	case "+", "\\", "<":
		return &s.Derived
	case "^", "*", ">", "=":
		return &s.SeeAlso
	}
	return nil // domains of usage: not shown
}

func add(links []Link, one Link) []Link {
	if len(links) >= MaxLinks || slices.Contains(links, one) {
		return links
	}
	return append(links, one)
}

// wordLink links to a member of a synset, as it is written there.
func (d *Dictionary) wordLink(word int) Link {
	key := d.key(int(d.u32(Words, word, 0) & lemmaBits))
	name := key
	if at := d.u32(Words, word, 1); at != AsKey {
		name = d.counted(Names, at)
	}
	return Link{Word: spoken(name), Href: Path(string(key))}
}

// link links to a lemma, as it is written in its commonest sense: "be", though
// the first sense is the symbol of beryllium. Between equals, small letters win.
func (d *Dictionary) link(lemma int) Link {
	from, to := d.sensesOf(lemma)
	best, word := -1, 0
	for i := from; i < to; i++ {
		first, _ := d.wordsOf(int(d.u32(Senses, i, 0)))
		w := first + int(d.u8(Senses, i, 4))
		rank := 2 * int(le.Uint16(d.sections[Senses][i*recordSize[Senses]+6:]))
		if d.u32(Words, w, 1) == AsKey {
			rank++
		}
		if rank > best {
			best, word = rank, w
		}
	}
	return d.wordLink(word)
}

func (d *Dictionary) written(lemma int) string { return d.link(lemma).Word }

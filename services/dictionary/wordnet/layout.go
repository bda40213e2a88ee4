package wordnet

import "encoding/binary"

// Magic, Version and the sizes below are the file's layout; see the package
// comment. They are exported for the program that writes it.
const (
	Magic   = "FLWNDICT"
	Version = 1
)

// A Section is a part of the file, by its place in the table.
type Section int

// The sections in the order of the file.
const (
	Lemmas Section = iota
	LemmaText
	Senses
	Synsets
	Words
	Names
	Pointers
	Text
	Exceptions
	ExceptionText
	NumSections
)

// HeaderSize is the size of everything before the first section.
const HeaderSize = 24 + 8*int(NumSections)

// AsKey marks a word that is written like its lemma's key.
const AsKey = ^uint32(0)

// lemmaBits is the part of a word's first field that is the lemma.
const lemmaBits = 1<<30 - 1

// recordSize is the size of one record; 1 for plain bytes.
var recordSize = [NumSections]int{
	Lemmas: 12, LemmaText: 1, Senses: 8, Synsets: 16, Words: 8, Names: 1, Pointers: 8, Text: 1, Exceptions: 12, ExceptionText: 1,
}

// RecordSize returns the size of one record of the section; 1 for plain bytes.
func (s Section) RecordSize() int { return recordSize[s] }

var le = binary.LittleEndian

// PartOfSpeech is one of WordNet's four.
type PartOfSpeech uint8

// The parts of speech in the order in which a dictionary lists them. A satellite
// is an adjective whose synset is clustered around another one's.
const (
	Noun PartOfSpeech = iota
	Verb
	Adjective
	Adverb
	Satellite // in synsets only
)

var posNames = [...]string{"noun", "verb", "adjective", "adverb", "adjective"}

func (p PartOfSpeech) String() string { return posNames[p] }

// Kind is the kind of a pointer from one synset, or word, to another.
type Kind uint8

// KindSymbols are WordNet's symbols; a Kind is an index into them.
var KindSymbols = [...]string{
	"!", "@", "@i", "~", "~i", "#m", "#s", "#p", "%m", "%s", "%p", "=", "+",
	";c", ";r", ";u", "-c", "-r", "-u", "*", ">", "^", "$", "&", "<", "\\",
}

// An adjective's position, when it has only one.
const (
	anyPosition uint8 = iota
	predicative
	attributive
	postnominal
)

// Positions are WordNet's markers for the positions of an adjective.
var Positions = [...]string{"", "(p)", "(a)", "(ip)"}

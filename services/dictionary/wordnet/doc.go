// Package wordnet answers questions about English words from one read-only file:
// WordNet 3.0, indexed once by cmd/wordnet-build so that a process maps it into
// memory and answers at once. Nothing is parsed at start and nothing is copied to
// the heap; replicas on one machine that map one file share its pages.
//
//	d, err := wordnet.Open("wordnet-3.0.bin")
//	match := d.Resolve("Mice")           // Key "mice", a form of "mouse"
//	entry := d.Entry(match)              // senses, synonyms, examples, links
//	d.Complete("hot_d", 10)              // hot_dog, …
//	d.Near("definately", 5)              // definitely, …
//
// # Words
//
// WordNet calls a dictionary form a lemma. Here a lemma is its key: lower case,
// words joined by "_" ("hot_dog", "tcp/ip", "9/11"), printable ASCII. The key is
// also the last segment of the word's URL. Fold turns what people type into a
// key; Resolve finds the lemma for it, or the lemmas of which it is an inflected
// form.
//
// # The file
//
// All numbers are little endian. The header is
//
//	 0  magic    8 bytes "FLWNDICT"
//	 8  version  u32     1
//	12  sections u32     10
//	16  size     u64     of the whole file
//	24  table    10 × { offset u32, size u32 }
//
// and the sections, each starting at a multiple of 8, are in this order:
//
//	lemmas      (n+1) × { text u32, sense u32, weight u32 }, sorted by key; a lemma's
//	            text and senses end where the next one's begin, so the last is a sentinel;
//	            weight is the number of senses + occurrences in the tagged corpora
//	lemmaText   the keys, back to back
//	senses      { synset u32, word u8, part of speech u8, occurrences u16 }: of a lemma
//	            in the order noun, verb, adjective, adverb, the commonest first
//	synsets     (n+1) × { text u32, words u32, pointers u32, part of speech u8, lexicographer file u8, 0 u16 }
//	words       { lemma u32, written u32 }: the members of a synset; the top two bits of
//	            lemma are the adjective's position; written is an offset into names, or
//	            2³²-1 where the word is written like its key
//	names       { length u8, bytes }: "Canis_familiaris"
//	pointers    { synset u32, kind u8, from u8, to u8, 0 u8 }: from and to are members
//	            counted from 1, or 0 for the whole synset
//	text        the glosses: definition, then each example after a line feed
//	exceptions  { form u32, base u32, part of speech u8, 0 u24 }: irregular forms, sorted
//	            by part of speech and form; offsets into excText
//	excText     { length u8, bytes }
//
// New checks every offset, count and order before anything is answered, so that a
// damaged file is an error and never a wrong answer that looks right or a panic.
// Whoever writes the file must replace it by rename: a mapped file that is cut
// short under a process kills it.
package wordnet

package index

import (
	"encoding/binary"
	"sort"
)

// postings say in which versions of documents a word is, and where: in the order of numbers, compactly, in chunks, so that a search
// can skip those that it does not need. They only grow: a copy of the struct is a view of them that what is added later does not
// touch, although it shares their memory.
type postings struct {
	full  []chunk
	tail  chunk
	count int
}

// chunk is a run of postings. Each is
//
//	number of the version, less the one before (the first: less chunk.first) · occurrences in the title · occurrences in the text
//	· positions in the title, each less the one before · positions in the text, likewise
//
// as unsigned varints. Positions begin anew in each field, so that no phrase goes from the title into the text.
type chunk struct {
	first, last uint64 // numbers
	count       int
	bytes       []byte
}

const chunkSize = 128

// add appends a posting; its number is greater than those before. It returns by how many bytes the list grew.
func (p *postings) add(number uint64, title, text []uint32) int {
	grown := 0
	if p.tail.count == chunkSize {
		grown = p.seal()
	}
	before := cap(p.tail.bytes)
	p.tail.open(number)
	b := p.tail.bytes
	b = binary.AppendUvarint(b, uint64(len(title)))
	b = binary.AppendUvarint(b, uint64(len(text)))
	b = appendPositions(b, title)
	b = appendPositions(b, text)
	p.tail.bytes = b
	p.count++
	return grown + cap(b) - before
}

// open begins a posting.
func (c *chunk) open(number uint64) {
	if c.count == 0 {
		c.first, c.last = number, number
	}
	c.bytes = binary.AppendUvarint(c.bytes, number-c.last)
	c.last = number
	c.count++
}

// seal ends the tail, and returns by how many bytes the list grew, below 0 mostly: a full chunk has no room to grow.
func (p *postings) seal() int {
	full := p.tail
	full.bytes = append(make([]byte, 0, len(full.bytes)), full.bytes...)
	p.full = append(p.full, full)
	grown := cap(full.bytes) + chunkBytes - cap(p.tail.bytes)
	p.tail = chunk{}
	return grown
}

func appendPositions(b []byte, positions []uint32) []byte {
	var before uint32
	for _, position := range positions {
		b = binary.AppendUvarint(b, uint64(position-before))
		before = position
	}
	return b
}

// size is how many bytes the postings take.
func (p *postings) size() int {
	size := cap(p.tail.bytes)
	for i := range p.full {
		size += cap(p.full[i].bytes) + chunkBytes
	}
	return size
}

const chunkBytes = 48

// without returns the postings of the versions that are to be kept, and leaves p as it is.
func (p *postings) without(lost func(number uint64) bool) postings {
	var rest postings
	for at := newReader(*p); at.number != none; at.seek(at.number + 1) {
		if lost(at.number) {
			continue
		}
		if rest.tail.count == chunkSize {
			rest.seal()
		}
		body := at.body()
		rest.tail.open(at.number)
		rest.tail.bytes = append(rest.tail.bytes, body...)
		rest.count++
	}
	rest.tail.bytes = append(make([]byte, 0, len(rest.tail.bytes)), rest.tail.bytes...)
	return rest
}

// none is the number of no version, greater than all.
const none = ^uint64(0)

// reader goes through postings, from the first on.
type reader struct {
	number      uint64 // of the version that it stands at; none behind the last
	title, text int    // occurrences there
	postings    postings
	chunk       int    // the place of the chunk that it reads
	last        uint64 // number of the chunk's last posting
	counts      []byte // from the posting's counts on, for body
	rest        []byte // from the posting's positions on
	open        bool   // rest still has the positions
	scratch     [2][]uint32
}

func newReader(p postings) reader {
	r := reader{postings: p, number: none}
	if p.count > 0 {
		r.enter(0)
	}
	return r
}

func (r *reader) chunkAt(place int) *chunk {
	if place < len(r.postings.full) {
		return &r.postings.full[place]
	}
	return &r.postings.tail
}

func (r *reader) chunks() int {
	if r.postings.tail.count > 0 {
		return len(r.postings.full) + 1
	}
	return len(r.postings.full)
}

// enter stands at the first posting of a chunk.
func (r *reader) enter(place int) {
	c := r.chunkAt(place)
	r.chunk, r.number, r.last, r.rest = place, c.first, c.last, c.bytes
	r.step()
}

// step reads the beginning of the next posting of the chunk.
func (r *reader) step() {
	r.number += r.varint()
	r.counts = r.rest
	r.title = int(r.varint())
	r.text = int(r.varint())
	r.open = true
}

func (r *reader) varint() uint64 {
	if b := r.rest[0]; b < 0x80 {
		r.rest = r.rest[1:]
		return uint64(b)
	}
	value, length := binary.Uvarint(r.rest)
	r.rest = r.rest[length:]
	return value
}

// pass skips the positions of a posting.
func (r *reader) pass() {
	if !r.open {
		return
	}
	left, place := r.title+r.text, 0
	for ; left > 0; place++ {
		if r.rest[place] < 0x80 {
			left--
		}
	}
	r.rest = r.rest[place:]
	r.open = false
}

// seek goes to the first posting from target on, never back.
func (r *reader) seek(target uint64) uint64 {
	if r.number >= target {
		return r.number
	}
	if r.last < target && !r.skip(target) {
		return none
	}
	for r.number < target {
		r.pass()
		r.step()
	}
	return r.number
}

// skip enters the chunk that has the first posting from target on, which is one of those behind this.
func (r *reader) skip(target uint64) bool {
	chunks, from := r.chunks(), r.chunk+1
	place := from
	if place < chunks && r.chunkAt(place).last < target {
		place += sort.Search(chunks-from, func(i int) bool { return r.chunkAt(from+i).last >= target })
	}
	if place == chunks {
		r.number, r.last, r.title, r.text = none, none, 0, 0
		return false
	}
	r.enter(place)
	return true
}

// positions are where the word is, in the title and in the text; they are good until the reader moves.
func (r *reader) positions() (title, text []uint32) {
	if r.open {
		r.scratch[0] = r.take(r.scratch[0][:0], r.title)
		r.scratch[1] = r.take(r.scratch[1][:0], r.text)
		r.open = false
	}
	return r.scratch[0], r.scratch[1]
}

func (r *reader) take(into []uint32, count int) []uint32 {
	var position uint32
	for range count {
		position += uint32(r.varint())
		into = append(into, position)
	}
	return into
}

// body is the posting without its number.
func (r *reader) body() []byte {
	r.pass()
	return r.counts[:len(r.counts)-len(r.rest)]
}

// occurrences in a field.
func (r *reader) occurrences(field int) int {
	switch field {
	case titleField:
		return r.title
	case textField:
		return r.text
	default:
		return r.title + r.text
	}
}

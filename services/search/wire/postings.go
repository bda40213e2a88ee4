package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Postings are the documents with a word at an epoch, by the offsets of their versions, which ascend, and what the word adds to the
// score of each. They have a form of their own in place of JSON, because they are long:
//
//	"FP1" · epoch · documents · how many · offsets, each less the one before (the first: itself) · scores, 8 bytes each, little endian
//
// Numbers but the scores are unsigned varints.
type Postings struct {
	Epoch     int64
	Documents int64 // that live at the epoch
	Offsets   []int64
	Scores    []float64
}

// PostingsType is the media type of the binary form.
const PostingsType = "application/vnd.flotilla.postings"

// MostPostings is how many a message has at most.
const MostPostings = 1 << 22

const postingsMagic = "FP1"

// AppendBinary appends the binary form.
func (p *Postings) AppendBinary(b []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return b, fmt.Errorf("encode postings: %w", err)
	}
	b = append(b, postingsMagic...)
	b = binary.AppendUvarint(b, uint64(p.Epoch))
	b = binary.AppendUvarint(b, uint64(p.Documents))
	b = binary.AppendUvarint(b, uint64(len(p.Offsets)))
	before := int64(0)
	for _, offset := range p.Offsets {
		b = binary.AppendUvarint(b, uint64(offset-before))
		before = offset
	}
	for _, score := range p.Scores {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(score))
	}
	return b, nil
}

// check tells what cannot be said in the binary form, or would be wrong.
func (p *Postings) check() error {
	switch {
	case p.Epoch < 0 || p.Documents < 0:
		return errors.New("the epoch or the number of documents is negative")
	case len(p.Offsets) != len(p.Scores):
		return fmt.Errorf("%d offsets and %d scores", len(p.Offsets), len(p.Scores))
	case len(p.Offsets) > MostPostings:
		return fmt.Errorf("%d postings, of at most %d", len(p.Offsets), MostPostings)
	}
	for i, offset := range p.Offsets {
		if offset < 0 || i > 0 && offset <= p.Offsets[i-1] || offset >= p.Epoch {
			return errors.New("the offsets do not ascend below the epoch")
		}
		if score := p.Scores[i]; math.IsNaN(score) || math.IsInf(score, 0) || math.Signbit(score) {
			return errors.New("a score is not a number from 0 on")
		}
	}
	return nil
}

// UnmarshalBinary reads the binary form. It believes no length: memory is taken as far as there are bytes.
func (p *Postings) UnmarshalBinary(b []byte) error {
	read := postingsReader{rest: b}
	got := read.postings()
	if read.err == nil && len(read.rest) > 0 {
		read.err = fmt.Errorf("%d bytes too many", len(read.rest))
	}
	if read.err == nil {
		read.err = got.check()
	}
	if read.err != nil {
		return fmt.Errorf("decode postings: %w", read.err)
	}
	*p = got
	return nil
}

type postingsReader struct {
	rest []byte
	err  error
}

func (r *postingsReader) postings() Postings {
	if len(r.rest) < len(postingsMagic) || string(r.rest[:len(postingsMagic)]) != postingsMagic {
		r.err = errors.New("it does not begin as postings do")
		return Postings{}
	}
	r.rest = r.rest[len(postingsMagic):]
	p := Postings{Epoch: r.number(), Documents: r.number()}
	count := r.number()
	const least = 1 + 8 // bytes of a posting
	if r.err == nil && (count > MostPostings || count > int64(len(r.rest)/least)) {
		r.err = fmt.Errorf("%d postings do not fit", count)
	}
	if r.err != nil || count == 0 {
		return p
	}
	p.Offsets, p.Scores = make([]int64, count), make([]float64, count)
	before := int64(0)
	for i := range p.Offsets {
		before += r.number() // past the greatest number it is negative, which check refuses
		p.Offsets[i] = before
	}
	if r.err == nil && len(r.rest) < 8*len(p.Scores) {
		r.err = errors.New("it ends early")
	}
	if r.err != nil {
		return p
	}
	for i := range p.Scores {
		p.Scores[i] = math.Float64frombits(binary.LittleEndian.Uint64(r.rest[8*i:]))
	}
	r.rest = r.rest[8*len(p.Scores):]
	return p
}

// number reads a varint that is as short as it can be, so that postings have one form alone.
func (r *postingsReader) number() int64 {
	if r.err != nil {
		return 0
	}
	value, length := binary.Uvarint(r.rest)
	if length <= 0 || value > math.MaxInt64 || length > 1 && r.rest[length-1] == 0 {
		r.err = errors.New("a number is cut off, too great, or longer than it has to be")
		return 0
	}
	r.rest = r.rest[length:]
	return int64(value)
}

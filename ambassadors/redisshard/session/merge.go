package session

import (
	"bytes"
	"strconv"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

// merge makes one reply of the replies to the parts of a request. A part that
// failed makes the whole one fail, with the error of the first part that did; a
// transaction knows more about its errors.
type merge struct {
	left    int // parts without a reply
	held    int // bytes of the replies that have come
	failure []byte
	with    merger
}

// merger is what is done with replies that are no errors.
type merger interface {
	add(part int, reply []byte)
	result() []byte
}

// add takes the reply to a part, and tells whether it was the last.
func (m *merge) add(part int, reply []byte) bool {
	_, knows := m.with.(*executed)
	switch {
	case knows || reply[0] != '-':
		m.with.add(part, reply)
	case m.failure == nil:
		m.failure = bytes.Clone(reply)
	}
	m.left--
	return m.left == 0
}

func (m *merge) result() []byte {
	if m.failure != nil {
		return m.failure
	}
	return m.with.result()
}

// sum adds numbers: DEL.
type sum int64

func (s *sum) add(_ int, reply []byte) {
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(reply[1:])), 10, 64)
	*s += sum(n)
}

func (s *sum) result() []byte { return resp.AppendInt(nil, int64(*s)) }

// first is for replies that are all the same: MSET, SCRIPT LOAD.
type first []byte

func (f *first) add(_ int, reply []byte) {
	if *f == nil {
		*f = bytes.Clone(reply)
	}
}

func (f *first) result() []byte { return *f }

// values puts the elements of arrays together, in the order of keys: MGET.
type values struct {
	parts [][]byte // replies
	of    []int    // the part of each key; its elements are in the order of the keys
}

func (v *values) add(part int, reply []byte) { v.parts[part] = bytes.Clone(reply) }

func (v *values) result() []byte {
	size := 0
	elements := make([]*resp.Elements, len(v.parts))
	for i, reply := range v.parts {
		elements[i] = resp.NewElements(reply)
		size += len(reply)
	}
	b := resp.AppendHeader(make([]byte, 0, size), '*', len(v.of))
	for _, part := range v.of {
		element, ok := elements[part].Next()
		if !ok {
			return resp.AppendError(nil, "ERR a shard answered with fewer values than it was asked for")
		}
		b = append(b, element...)
	}
	return b
}

// every answers an array of numbers with the smallest of each place: SCRIPT
// EXISTS.
type every []int64

func (e *every) add(_ int, reply []byte) {
	elements := resp.NewElements(reply)
	for i := 0; ; i++ {
		element, ok := elements.Next()
		if !ok {
			return
		}
		n, _ := strconv.ParseInt(string(bytes.TrimSpace(element[1:])), 10, 64)
		if i == len(*e) {
			*e = append(*e, n)
		}
		(*e)[i] = min((*e)[i], n)
	}
}

func (e *every) result() []byte {
	b := resp.AppendHeader(nil, '*', len(*e))
	for _, n := range *e {
		b = resp.AppendInt(b, n)
	}
	return b
}

// executed is the reply to EXEC, after those to MULTI and to the commands in
// between. When the server refused one of them it says so, for EXEC alone does
// not tell why.
type executed struct {
	last   int // the part of EXEC
	reason []byte
	reply  []byte
}

func (x *executed) add(part int, reply []byte) {
	switch {
	case part == x.last:
		x.reply = bytes.Clone(reply)
	case reply[0] == '-' && x.reason == nil:
		x.reason = bytes.Clone(bytes.TrimSpace(reply[1:]))
	}
}

func (x *executed) result() []byte {
	if x.reason != nil && bytes.HasPrefix(x.reply, []byte("-EXECABORT")) {
		return resp.AppendError(nil, "EXECABORT Transaction discarded because of: "+string(x.reason))
	}
	return x.reply
}

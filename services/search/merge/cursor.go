package merge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Bounds of a cursor.
const (
	MaxShards = 256
	MaxID     = 128
	// MaxCursor is the length of the longest text that can be one.
	MaxCursor = (1+8+3+MaxShards*binary.MaxVarintLen64+8+MaxID)*4/3 + 4
)

// version is the first byte of a cursor: one of another form is not taken for one of this.
const version = 1

// LeftOut is in a cursor in the place of the epoch of a shard that did not answer for the first page. It is not asked for the others
// either: with its statistics all scores would be others, and pages would not fit together.
const LeftOut int64 = -1

// The errors of a cursor. Their texts may be shown to a client.
var (
	ErrCursor = errors.New("this is no cursor: take `next` of an answer as it is")
	ErrOther  = errors.New("this cursor belongs to another query: with `after`, repeat the request that gave it, with the same q, operator and number of shards")
)

// A Cursor is a place in the result of a query, at the epochs at which the query was first asked.
type Cursor struct {
	Epochs []int64 // by shard; LeftOut of one that is not asked
	After  wire.Place
}

// A Query identifies what a cursor belongs to.
type Query [8]byte

// QueryOf is the identity of what makes results comparable.
func QueryOf(parts ...string) (q Query) {
	sum := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		sum.Write(length[:])
		sum.Write([]byte(part))
	}
	copy(q[:], sum.Sum(nil))
	return q
}

// String writes the cursor for a query.
func (c *Cursor) String(query Query) string {
	b := append(make([]byte, 0, 128), version)
	b = append(b, query[:]...)
	b = binary.AppendUvarint(b, uint64(len(c.Epochs)))
	for _, epoch := range c.Epochs {
		b = binary.AppendUvarint(b, uint64(epoch+1)) // that LeftOut is 0
	}
	b = binary.BigEndian.AppendUint64(b, c.After.Bits)
	return base64.RawURLEncoding.EncodeToString(append(b, c.After.ID...))
}

// Parse reads a cursor that was made for a query over so many shards. The error is ErrCursor or ErrOther.
func Parse(text string, query Query, shards int) (*Cursor, error) {
	if len(text) > MaxCursor {
		return nil, ErrCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+len(query) || b[0] != version {
		return nil, ErrCursor
	}
	of := Query(b[1 : 1+len(query)])
	b = b[1+len(query):]
	n, b, ok := number(b)
	if !ok || n < 1 || n > MaxShards {
		return nil, ErrCursor
	}
	c := &Cursor{Epochs: make([]int64, n)}
	for i := range c.Epochs {
		var epoch uint64
		if epoch, b, ok = number(b); !ok || int64(epoch) < 0 {
			return nil, ErrCursor
		}
		c.Epochs[i] = int64(epoch) - 1
	}
	if len(b) < 8+1 || len(b) > 8+MaxID {
		return nil, ErrCursor
	}
	c.After = wire.Place{Bits: binary.BigEndian.Uint64(b), ID: string(b[8:])}
	if !Valid(c.After.Bits) || !printable(c.After.ID) {
		return nil, ErrCursor
	}
	if of != query || len(c.Epochs) != shards {
		return nil, ErrOther
	}
	return c, nil
}

// number reads a number as it is written in the fewest bytes.
func number(b []byte) (uint64, []byte, bool) {
	value, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return value, b[n:], true
}

// printable tells whether an id is made of what ids are made of.
func printable(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

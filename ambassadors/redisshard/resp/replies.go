package resp

import "io"

// Replies finds replies in what a server sends.
type Replies struct {
	buffer
	scan  scan
	limit int
	over  int // bytes of the present reply that were dropped because it is over the limit
}

// NewReplies returns a reader of replies of at most limit bytes. What is larger
// is read over, and Next says so in its place.
func NewReplies(limit int) *Replies {
	return &Replies{buffer: buffer{size: 64 << 10}, scan: newScan(), limit: limit}
}

// Fill reads once from the server.
func (r *Replies) Fill(in io.Reader) (int, error) { return r.fill(in) }

// Next returns the next reply that has come completely; ok is false when there
// is none. The reply is good until the next Fill; it is nil, with ok, in the
// place of one that was too large. After an error nothing more can be read.
func (r *Replies) Next() (reply []byte, ok bool, err error) {
	done, err := r.scan.run(&r.buffer)
	if err != nil {
		return nil, false, err
	}
	if !done {
		r.drop()
		return nil, false, nil
	}
	if r.over > 0 || r.at-r.start > r.limit {
		r.start, r.over = r.at, 0
		return nil, true, nil
	}
	reply = r.b[r.start:r.at:r.at]
	r.start = r.at
	return reply, true, nil
}

// drop forgets what was seen of a reply that is, or will be, over the limit.
func (r *Replies) drop() {
	size := r.at - r.start
	if r.over == 0 && size+max(r.scan.body, 0) <= r.limit {
		return
	}
	r.over += size
	r.start = r.at
}

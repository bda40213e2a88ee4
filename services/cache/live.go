package cache

import (
	"io"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/spool"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// sendLive answers with an object whose body is still arriving. head is the leader's reader; others take
// one of their own, and get false when the body is not kept for them any more.
func (x *exchange) sendLive(f *flight, head *spool.Reader) bool {
	o, now := f.object, time.Now()
	x.cs.Stored = f.stored
	x.cs.HasTTL, x.cs.TTL = true, o.Meta.TTL(now)
	if o.Status == 200 && rfc9111.NotModified(x.rq.Header, &o.Meta) {
		closeReader(head)
		x.notModified(o, now)
		return true
	}
	length := f.live.Length()
	from, to, status := int64(0), length, o.Status
	if r, ok := x.liveRange(o, length); ok {
		from, to, status = r.Start, r.End, 206
		closeReader(head)
		head = nil
	}
	reader := head
	if reader == nil {
		var ok bool
		if reader, ok = f.live.Reader(from, to); !ok {
			return false
		}
	}
	defer reader.Close()
	x.status = status
	b := append(x.c.Begin(status), o.Head...)
	if status == 206 && o.Status == 200 {
		b = http1.AppendField(b, "Content-Range", rfc9111.Range{Start: from, End: to}.ContentRange(length))
		length = to - from
	}
	if x.c.Stream(status, x.tail(b, o, now), length) == nil {
		x.follow(reader)
	}
	return true
}

// liveRange applies a Range of one part to a body of known length; the rest gets the whole.
func (x *exchange) liveRange(o *store.Object, length int64) (rfc9111.Range, bool) {
	value := x.rq.Header.Get("Range")
	if value == "" || length < 0 || o.Status != 200 || x.rq.Method != "GET" || !rfc9111.RangeApplies(x.rq.Header, &o.Meta) {
		return rfc9111.Range{}, false
	}
	ranges, result := rfc9111.ParseRange(value, length)
	if result != rfc9111.RangeSatisfiable || len(ranges) != 1 {
		return rfc9111.Range{}, false
	}
	return ranges[0], true
}

func closeReader(r *spool.Reader) {
	if r != nil {
		r.Close()
	}
}

// follow sends the body as it arrives.
func (x *exchange) follow(r *spool.Reader) {
	if x.c.Bodyless() {
		_ = x.c.Finish(nil)
		return
	}
	for {
		p, err := r.Next(x.s.fillCtx)
		if err == io.EOF {
			_ = x.c.Finish(nil)
			return
		}
		if err == nil {
			_, err = x.c.Write(p)
		}
		if err != nil {
			_ = x.c.Finish(err)
			return
		}
	}
}

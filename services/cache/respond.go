package cache

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// sendObject answers with a whole stored object: 304, 206, 416, or as it was stored.
func (x *exchange) sendObject(o *store.Object, now time.Time) {
	if o.Status == 200 {
		if rfc9111.NotModified(x.rq.Header, &o.Meta) {
			x.notModified(o, now)
			return
		}
		if value := x.rq.Header.Get("Range"); value != "" && x.rq.Method == "GET" && rfc9111.RangeApplies(x.rq.Header, &o.Meta) {
			ranges, result := rfc9111.ParseRange(value, int64(len(o.Body)))
			if result != rfc9111.RangeIgnored {
				x.sendRanges(o, now, ranges)
				return
			}
		}
	}
	x.status = o.Status
	_ = x.c.Send(o.Status, x.tail(append(x.c.Begin(o.Status), o.Head...), o, now), o.Body)
}

// tail appends the lines that are computed for each response.
func (x *exchange) tail(b []byte, o *store.Object, now time.Time) []byte {
	b = append(b, "Age: "...)
	b = strconv.AppendInt(b, int64(max(0, o.Meta.Age(now))/time.Second), 10)
	return x.ours(append(b, '\r', '\n'))
}

// ours appends Cache-Status and the lines of this exchange.
func (x *exchange) ours(b []byte) []byte {
	b = append(b, "Cache-Status: "...)
	b = x.cs.Append(b, x.s.Name)
	b = append(b, '\r', '\n')
	for i := range x.extra {
		b = http1.AppendField(b, x.extra[i].Name, x.extra[i].Value)
	}
	return b
}

func (x *exchange) notModified(o *store.Object, now time.Time) {
	x.status = 304
	b := x.c.Begin(304)
	for i := range o.Header {
		if f := &o.Header[i]; !rfc9111.OmitOn304(f.Name) {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	_ = x.c.SendLength(304, x.tail(b, o, now), nil, http1.Unknown)
}

// sendRanges answers 206 with one part or several, or 416 with none.
func (x *exchange) sendRanges(o *store.Object, now time.Time, ranges []rfc9111.Range) {
	size := int64(len(o.Body))
	switch len(ranges) {
	case 0:
		x.status = 416
		b := http1.AppendField(x.c.Begin(416), "Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		_ = x.c.Send(416, x.tail(b, o, now), nil)
	case 1:
		x.status = 206
		b := append(x.c.Begin(206), o.Head...)
		b = http1.AppendField(b, "Content-Range", ranges[0].ContentRange(size))
		_ = x.c.Send(206, x.tail(b, o, now), o.Body[ranges[0].Start:ranges[0].End])
	default:
		x.status = 206
		boundary := strconv.FormatUint(rand.Uint64(), 36) + strconv.FormatUint(rand.Uint64(), 36)
		b := x.c.Begin(206)
		for _, f := range o.Header {
			if f.Name != "Content-Type" {
				b = http1.AppendField(b, f.Name, f.Value)
			}
		}
		b = http1.AppendField(b, "Content-Type", "multipart/byteranges; boundary="+boundary)
		_ = x.c.Send(206, x.tail(b, o, now), multipart(o, ranges, boundary))
	}
}

// multipart builds the body of several parts; they do not overlap, so it is not much larger than the whole.
func multipart(o *store.Object, ranges []rfc9111.Range, boundary string) []byte {
	kind := o.Header.Get("Content-Type")
	var b []byte
	for _, r := range ranges {
		b = append(append(append(b, "\r\n--"...), boundary...), "\r\n"...)
		if kind != "" {
			b = http1.AppendField(b, "Content-Type", kind)
		}
		b = http1.AppendField(b, "Content-Range", r.ContentRange(int64(len(o.Body))))
		b = append(append(b, "\r\n"...), o.Body[r.Start:r.End]...)
	}
	return append(append(append(b, "\r\n--"...), boundary...), "--\r\n"...)
}

// stream answers with an upstream response that is for this client alone, and closes it.
func (x *exchange) stream(resp *origin.Response) {
	defer resp.Body.Close()
	x.status, x.upstream = resp.Status, resp.Upstream
	x.cs.FwdStatus = resp.Status
	b := x.c.Begin(resp.Status)
	dated := false
	for _, f := range rfc9111.EndToEnd(resp.Header) {
		switch f.Name {
		case "Content-Length", "Surrogate-Key":
			continue
		case "Cache-Status": // the caches nearer to the origin come first
			b = http1.AppendField(b, f.Name, f.Value)
			continue
		case "Date":
			dated = true
		}
		b = http1.AppendField(b, f.Name, f.Value)
	}
	if !dated {
		b = http1.AppendField(b, "Date", resp.ResponseTime.UTC().Format(rfc9111.HTTPDate))
	}
	length := resp.Length
	if resp.Status == 304 {
		length = http1.Unknown // net/http says 0, which would be a statement about the representation
	}
	if x.c.Stream(resp.Status, x.ours(b), length) != nil {
		return
	}
	if x.c.Bodyless() {
		_ = x.c.Finish(nil)
		return
	}
	_ = x.c.Finish(x.copy(resp.Body))
}

// copy sends an upstream body, each piece as it comes.
func (x *exchange) copy(body io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, werr := x.c.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			x.s.metrics.brokenBodies.Inc()
			return err
		}
	}
}

// fail answers with a problem after an upstream failure, refuse with one that is the client's.
func (x *exchange) fail(p *problem.Problem) {
	x.outcome = outcomeError
	x.problem(p)
}

func (x *exchange) refuse(p *problem.Problem) {
	x.outcome = outcomeRefused
	x.problem(p)
}

func (x *exchange) problem(p *problem.Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}")
	}
	x.status = p.Status
	b := x.c.Begin(p.Status)
	b = http1.AppendField(b, "Content-Type", problem.ContentType)
	b = http1.AppendField(b, "Cache-Control", "no-store")
	b = http1.AppendField(b, "X-Content-Type-Options", "nosniff")
	b = http1.AppendField(b, "Date", time.Now().UTC().Format(rfc9111.HTTPDate))
	if after := p.RetryAfterSeconds(); after != "" {
		b = http1.AppendField(b, "Retry-After", after)
	}
	_ = x.c.Send(p.Status, x.ours(b), append(body, '\n'))
}

package shardproxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// appendAnswerHead writes the head of the replica's answer for the client.
func (c *conn) appendAnswerHead(out []byte, a front.Answer) []byte {
	p := &c.Exchange.Response
	out = front.AppendStatus(out, p.Status, p.Reason)
	dated := false
	var status []byte
	for i := range p.Fields {
		field := &p.Fields[i]
		switch {
		case field.Kind == h1.Date:
			dated = true
		case field.Kind != h1.Other:
		case len(field.Name) == len("cache-status") && sameName(field.Name, "cache-status"):
			status = field.Value // the last line has what was said last
		case c.cfg.ShardField != "" && sameName(field.Name, c.cfg.ShardField):
			continue
		}
		if p.Forward(field) {
			out = front.AppendField(out, field.Name, field.Value)
		}
	}
	if !dated {
		out = c.dates.Append(out, c.at)
	}
	if status != nil {
		c.shard.load.cache(hit(status))
	}
	out = c.appendShard(c.AppendFraming(out, a))
	return append(c.appendConnection(out), '\r', '\n')
}

func (l *load) cache(hit bool) {
	if hit {
		l.hits.Add(1)
	} else {
		l.misses.Add(1)
	}
	l.cached.Record(0, !hit)
}

// appendShard tells which shard answered, where that is asked for.
func (c *conn) appendShard(out []byte) []byte {
	if c.cfg.ShardField == "" || c.shard == nil {
		return out
	}
	out = append(append(out, c.cfg.ShardField...), ": "...)
	return append(append(out, c.shard.name...), '\r', '\n')
}

// appendConnection tells whether the connection ends after this answer.
func (c *conn) appendConnection(out []byte) []byte {
	if !c.persists() {
		c.Request.Close = true // said is said, even if persists were to change its mind
		return append(out, "Connection: close\r\n"...)
	}
	return out
}

// refuse answers with a problem instead of a replica's answer. bodyOver tells that the
// whole request was read, so that the connection can live on.
func (c *conn) refuse(p *problem.Problem, bodyOver bool) bool {
	if !bodyOver {
		c.Linger, c.Request.Close = true, true
	}
	out, body := front.Refusal(p)
	out = c.dates.Append(out, c.at)
	out = append(out, "Content-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, '\r', '\n')
	out = append(c.appendConnection(out), '\r', '\n')
	if string(c.Request.Method) != http.MethodHead {
		out = append(out, body...)
	}
	err := c.Send(out)
	c.finish(p.Status)
	return err == nil && c.persists()
}

// refuseError answers for an exchange that failed, if anybody is there to be answered.
func (c *conn) refuseError(err error) bool {
	p := c.explain(err)
	if p == nil {
		c.finish(statusGone)
		return false
	}
	if c.shard != nil {
		c.shard.load.series.Record(time.Since(c.at), p.Status >= 500)
	}
	return c.refuse(p, c.BodyIsOver())
}

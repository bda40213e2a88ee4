package edge

import (
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
)

// relay sends the answer of the replica to the client.
func (c *conn) relay() (err error) {
	c.entry.sent, err = c.Relay(c.Framing(), c.appendAnswerHead)
	return err
}

// appendAnswerHead writes the head of the answer.
func (c *conn) appendAnswerHead(out []byte, a front.Answer) []byte {
	p := &c.Exchange.Response
	out = front.AppendStatus(out, p.Status, p.Reason)
	dated := false
	for i := range p.Fields {
		field := &p.Fields[i]
		switch field.Kind {
		case h1.EdgeOnly:
			continue
		case h1.Date:
			dated = true
		}
		if p.Forward(field) {
			out = front.AppendField(out, field.Name, field.Value)
		}
	}
	if !dated {
		out = c.dates.Append(out, c.entry.at)
	}
	out = c.AppendFraming(out, a)
	out = append(out, c.always...)
	return append(c.appendConnection(out), '\r', '\n')
}

// appendConnection tells whether the connection ends after this answer.
func (c *conn) appendConnection(out []byte) []byte {
	if !c.persists() {
		c.Request.Close = true // said is said, even if persists were to change its mind
		return append(out, "Connection: close\r\n"...)
	}
	return out
}

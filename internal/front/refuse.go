package front

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// PassedMethods are those that gateways pass on, as a value of Allow.
const PassedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// Refusal is the answer that a problem makes: the beginning of its head, to which the
// gateway adds what else it says, and its body.
func Refusal(p *problem.Problem) (head, body []byte) {
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	head = AppendStatus(make([]byte, 0, 1024), p.Status, nil)
	head = append(head, "Content-Type: "+problem.ContentType+"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"...)
	if after := p.RetryAfterSeconds(); after != "" {
		head = append(head, "Retry-After: "+after+"\r\n"...)
	}
	if p.Allow != "" {
		head = append(head, "Allow: "+p.Allow+"\r\n"...)
	}
	return head, body
}

// Dates makes Date fields, each of which serves all answers of its second. The zero value
// is ready; many goroutines may use it.
type Dates struct{ last atomic.Pointer[dateLine] }

// dateLine is the Date field of one second.
type dateLine struct {
	second int64
	line   []byte
}

// Append appends a Date field.
func (d *Dates) Append(b []byte, now time.Time) []byte {
	l := d.last.Load()
	if second := now.Unix(); l == nil || l.second != second {
		l = &dateLine{second, []byte("Date: " + now.UTC().Format(http.TimeFormat) + "\r\n")}
		d.last.Store(l)
	}
	return append(b, l.line...)
}

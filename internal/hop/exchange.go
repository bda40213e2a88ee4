package hop

import (
	"errors"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Source is a request body that is sent while it arrives. Read and Trailers
// are called by another goroutine than the exchange's.
type Source interface {
	Read(p []byte) (int, error)
	Trailers() []h1.Field // once Read has returned io.EOF
	Stop()                // makes a Read that waits return, for the answer is complete
}

// An Exchange is one request and its answer. Reuse it for the next one.
type Exchange struct {
	Head    []byte        // the request's head, and its body when that is all here
	Replay  bool          // the request may be sent twice
	ToHead  bool          // the method is HEAD
	Body    Source        // nil: none, or in Head
	Chunked bool          // Body is sent in chunks, else as it is
	Expect  bool          // Body is sent when the replica asks for it
	Timeout time.Duration // until the head of the answer
	Upgrade bool          // the head offers another protocol

	// Gone, asked while the answer is awaited for long, tells that the client left.
	Gone func() bool
	// Interim, if set, passes 1xx answers on. It is called by Do.
	Interim func(*h1.Response) error

	Response h1.Response // of the replica
	Retries  int         // how many attempts failed before
	Waited   time.Duration

	tried    upstream.Tried
	endpoint *upstream.Endpoint
	replica  *replica
	conn     *conn
	body     h1.Body
	sender   *sender
	started  time.Time
	deadline time.Time // of the connection's reads, as set
	broken   bool      // the answer's body ended too early
}

// goneEvery is how often Gone is asked, and whether the replica is still alive:
// a request that may be sent twice need not wait for one that hangs.
const goneEvery = time.Second

// continueWait is how long a body that the client holds back waits for the
// replica's consent. Then it is sent anyway, for the replica may be one that
// never gives it (RFC 9110, 10.1.1).
const continueWait = time.Second

func (x *Exchange) begin() {
	x.tried.Reset()
	x.Retries, x.sender, x.broken = 0, nil, false
	x.started = time.Now()
}

// Endpoint is the name of the replica that answered.
func (x *Exchange) Endpoint() string { return x.endpoint.Name() }

// again tells whether another attempt is allowed after err.
func (x *Exchange) again(err error) bool {
	var failure *Failure
	if !errors.As(err, &failure) {
		return err == ErrSaturated
	}
	if failure.Outcome == upstream.Canceled || time.Since(x.started) >= x.Timeout {
		return false
	}
	return !failure.sent || x.Replay && x.Body == nil
}

// attempt sends the request to one replica. A kept-alive connection that turns
// out to be closed is replaced by a new one, once.
func (x *Exchange) attempt(r *replica) error {
	x.replica = r
	c := r.take()
	for c != nil {
		if !x.Replay && c.stale() {
			c.Close()
			c = r.take()
			continue
		}
		err := x.over(c)
		if err == nil || !x.Replay || x.sender != nil || !closedIdle(err, c) {
			return err
		}
		c = nil
	}
	c, err := r.dial()
	if err != nil {
		outcome := upstream.ConnectError
		return &Failure{Outcome: outcome, Err: err}
	}
	return x.over(c)
}

// closedIdle tells whether a failure is what a connection shows that the other
// side closed while it was idle.
func closedIdle(err error, c *conn) bool {
	var failure *Failure
	return errors.As(err, &failure) && failure.Outcome == upstream.Broken && c.used && c.reader.Buffered() == 0
}

// over makes the attempt over a connection. After an error it is closed.
func (x *Exchange) over(c *conn) error {
	x.conn, x.deadline = c, time.Time{}
	err := x.send(c)
	if err == nil {
		err = x.receive()
	}
	if err == nil {
		x.Waited = time.Since(x.started)
		return nil
	}
	c.Close()
	if bodyErr := x.stopSender(); bodyErr != nil {
		err = bodyErr
	}
	x.conn = nil
	return err
}

func (x *Exchange) send(c *conn) error {
	if len(x.Head) > readBuffer { // may not fit into the socket's buffer
		if err := c.limitWrites(x.replica.options.Idle); err != nil {
			return broken(err)
		}
	}
	if _, err := c.Write(x.Head); err != nil {
		return broken(err)
	}
	if x.Body != nil && !x.Expect {
		x.startSender()
	}
	return nil
}

func broken(err error) error {
	return &Failure{Outcome: upstream.Broken, Err: err, sent: true}
}

// receive reads answers until the final one.
func (x *Exchange) receive() error {
	until := x.started.Add(x.Timeout)
	held := x.Body != nil && x.Expect
	for {
		wait := until
		if held {
			wait = earlier(until, time.Now().Add(continueWait))
		}
		err := x.head(wait)
		switch {
		case err == errPatience && held && wait != until:
			held = false
			if err := x.goAhead(nil); err != nil {
				return err
			}
			continue
		case err == errPatience && x.sender != nil && x.sender.step.Load() == waiting:
			return &BodyError{ErrBodyLate}
		case err == errPatience:
			return &Failure{Outcome: upstream.Timeout, Err: err, sent: true}
		case err != nil:
			return err
		case !x.Response.Interim():
			return x.final()
		}
		if held && x.Response.Status == 100 {
			held = false
			if err := x.goAhead(&x.Response); err != nil {
				return err
			}
		} else if x.Response.Status != 100 && x.Interim != nil {
			if err := x.Interim(&x.Response); err != nil {
				return gone(err)
			}
		}
	}
}

func gone(err error) error {
	return &Failure{Outcome: upstream.Canceled, Err: err, sent: true}
}

// goAhead asks the client for the body that it holds back, and sends it.
func (x *Exchange) goAhead(consent *h1.Response) error {
	if x.Interim != nil {
		if consent == nil {
			consent = &h1.Response{Status: 100, Minor: 1}
		}
		if err := x.Interim(consent); err != nil {
			return gone(err)
		}
	}
	x.startSender()
	return nil
}

var errPatience = errors.New("no answer in time")

// ErrBodyLate is what was wrong with a body that was not here when the time for
// the answer was over: no replica is to blame for that.
var ErrBodyLate = errors.New("the body did not arrive in time")

// head waits for the head of one answer. From time to time it looks whether the
// client is still there.
func (x *Exchange) head(until time.Time) error {
	for {
		now := time.Now()
		if !now.Before(until) {
			return errPatience
		}
		if err := x.setDeadline(earlier(until, now.Add(goneEvery))); err != nil {
			return broken(err)
		}
		err := x.conn.reader.ReadResponse(&x.Response, x.replica.options.HeadLimit)
		if err == nil {
			return nil
		}
		var slow net.Error
		if !errors.As(err, &slow) || !slow.Timeout() {
			return broken(err)
		}
		if x.Gone != nil && x.Gone() {
			return gone(errClientGone)
		}
		if x.Replay && silent(x.endpoint) {
			return &Failure{Outcome: upstream.Timeout, Err: errSilent, sent: true}
		}
	}
}

var errSilent = errors.New("the replica went silent")

var errClientGone = errors.New("the client is gone")

func (x *Exchange) setDeadline(t time.Time) error {
	x.deadline = t
	return x.conn.SetReadDeadline(t)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// final prepares the body of the last answer.
func (x *Exchange) final() error {
	if x.Response.Status == 101 {
		if !x.Upgrade {
			return broken(errSwitched)
		}
		x.body = h1.Body{}
		return nil
	}
	x.body.Start(x.conn.reader, x.Response.BodyLength(x.ToHead), 0)
	return nil
}

var errSwitched = errors.New("the replica switched protocols unasked")

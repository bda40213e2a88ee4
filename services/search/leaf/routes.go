package leaf

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// retryAfter is what callers are asked to wait when there is no answer here.
const retryAfter = time.Second

// places is how many requests may wait for each that is worked on. Who waits leaves when its caller's time is over, and roots bound how
// many there are: that keeps the queue short, and this number only the memory. With few places a leaf that is held up for a tenth of a second, by
// its limit of processor time, refuses what its shard may have nobody else to answer.
const places = 64

// routes are held together with openapi.yaml by a test. Bodies have the bound of all APIs, a mebibyte; index.MostPlan keeps plans
// below it.
func (l *leaf) routes(e *echo.Echo) {
	e.POST("/v1/statistics", l.statistics)
	e.POST("/v1/search", l.search)
	e.POST("/v1/terms", l.terms)
	e.POST("/v1/documents", l.documents)
	e.POST("/v1/explain", l.explain)
	e.POST("/v1/suggest", l.suggest)
	e.GET("/v1/documents/:id", l.document)
	e.GET("/v1/status", l.status)
}

func (l *leaf) statistics(c echo.Context) error {
	return serve(l, c, "statistics", func(r *wire.StatisticsRequest) (int64, int64) { return r.Epoch, r.Least },
		func(ctx context.Context, v *index.View, r *wire.StatisticsRequest) (any, error) {
			return v.Statistics(ctx, r.Query)
		})
}

func (l *leaf) search(c echo.Context) error {
	return serve(l, c, "search", func(r *wire.SearchRequest) (int64, int64) { return r.Epoch, 0 },
		func(ctx context.Context, v *index.View, r *wire.SearchRequest) (any, error) {
			return v.Search(ctx, *r)
		})
}

func (l *leaf) terms(c echo.Context) error {
	return serve(l, c, "terms", func(r *wire.TermsRequest) (int64, int64) { return r.Epoch, r.Least },
		func(ctx context.Context, v *index.View, r *wire.TermsRequest) (any, error) {
			if r.Limit < 1 || r.Limit > wire.MostPostings {
				return nil, &index.RequestError{About: "limit: want 1 to 4194304"}
			}
			return v.Word(ctx, &r.Node, r.Limit)
		})
}

func (l *leaf) documents(c echo.Context) error {
	return serve(l, c, "documents", func(r *wire.DocumentsRequest) (int64, int64) { return r.Epoch, 0 },
		func(_ context.Context, v *index.View, r *wire.DocumentsRequest) (any, error) {
			hits, err := v.Documents(r.Offsets, r.Query)
			return wire.DocumentsAnswer{Epoch: v.Epoch(), Hits: hits}, err
		})
}

func (l *leaf) explain(c echo.Context) error {
	return serve(l, c, "explain", func(r *wire.ExplainRequest) (int64, int64) { return r.Epoch, 0 },
		func(_ context.Context, v *index.View, r *wire.ExplainRequest) (any, error) {
			return v.Explain(r.Plan, r.ID)
		})
}

func (l *leaf) suggest(c echo.Context) error {
	return serve(l, c, "suggest", func(r *wire.SuggestRequest) (int64, int64) { return r.Epoch, 0 },
		func(ctx context.Context, v *index.View, r *wire.SuggestRequest) (any, error) {
			return v.Suggest(ctx, r.Word)
		})
}

// serve reads a request, waits for the epoch that it wants and for its turn, and answers with what do makes of them.
func serve[R any](l *leaf, c echo.Context, route string, wants func(*R) (epoch, least int64), do func(context.Context, *index.View, *R) (any, error)) error {
	var request R
	if err := decode(c.Request().Body, &request); err != nil {
		return err
	}
	epoch, least := wants(&request)
	return l.answer(c, route, epoch, least, func(ctx context.Context, v *index.View) (any, error) { return do(ctx, v, &request) })
}

// decode reads one value of JSON. Fields that are not known are those of newer roots.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more than one value")
		}
	}
	var known *echo.HTTPError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known): // the bound of the body
		return known
	default:
		return problem.New(http.StatusBadRequest, "bad-request", "want one JSON object as openapi.yaml describes it")
	}
}

// answer is what all requests for a moment of the shard go through.
func (l *leaf) answer(c echo.Context, route string, epoch, least int64, do func(context.Context, *index.View) (any, error)) error {
	ctx := c.Request().Context()
	if err := l.caughtUp(); err != nil {
		return err
	}
	s := l.shard()
	view, err := l.view(ctx, s, epoch, least)
	if err == nil {
		err = l.bulkhead.Enter(ctx)
	}
	if err != nil {
		return l.problem(err)
	}
	defer l.bulkhead.Leave()
	began := time.Now()
	value, err := do(ctx, view)
	l.metrics.duration.WithLabelValues(route).Observe(time.Since(began).Seconds())
	if err != nil {
		return l.problem(err)
	}
	tellEnd(c, s)
	return reply(c, value)
}

// tellEnd says that the partition has ended, in an answer.
func tellEnd(c echo.Context, s *shard) {
	if s.isSealed() {
		c.Response().Header().Set(wire.EndedHeader, "true")
	}
}

// reply writes an answer: postings in their own form, all else as JSON.
func reply(c echo.Context, value any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	postings, are := value.(wire.Postings)
	if !are {
		return c.JSON(http.StatusOK, value)
	}
	b, err := postings.AppendBinary(nil)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, wire.PostingsType, b)
}

// caughtUp refuses what would be answered from a part of the shard alone.
func (l *leaf) caughtUp() error {
	if l.answers.Load() {
		return nil
	}
	return problem.New(http.StatusServiceUnavailable, "not-caught-up", "this replica has not read all of its shard yet: ask another one").Retry(retryAfter)
}

// hurried is how long a request may wait for an epoch: most of the time that its caller has, so that the caller hears in time to ask
// another replica that this one only lags, and does not take it for one that hangs.
func hurried(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/5))
}

// view waits for the epoch that is wanted.
func (l *leaf) view(ctx context.Context, s *shard, epoch, least int64) (*index.View, error) {
	if epoch < wire.Latest || least < 0 {
		return nil, &index.RequestError{About: "epoch: want -1, or an offset from 0 on"}
	}
	if wanted := max(epoch, least); wanted > s.index.Epoch() {
		ctx, cancel := hurried(ctx)
		defer cancel()
		if err := l.bulkhead.Wait(func() error { return s.index.Wait(ctx, wanted) }); err != nil {
			if errors.Is(err, bulkhead.ErrFull) {
				return nil, err
			}
			return nil, index.ErrFuture
		}
	}
	return s.index.At(epoch)
}

// problem is what a caller is told.
func (l *leaf) problem(err error) error {
	var wrong *index.RequestError
	var many *index.TooManyWordsError
	switch {
	case errors.As(err, &wrong):
		return problem.New(http.StatusBadRequest, "bad-request", wrong.About)
	case errors.As(err, &many):
		return problem.New(http.StatusBadRequest, "bad-request", many.Error())
	case errors.Is(err, bulkhead.ErrFull):
		l.metrics.shed.Inc()
		return problem.New(http.StatusServiceUnavailable, "overloaded", "this replica has as many requests as it takes: ask another one").Retry(retryAfter)
	case errors.Is(err, index.ErrGone):
		return problem.New(http.StatusGone, "epoch-gone", "the state at this epoch is not kept any more: ask for a newer one").With("oldest", l.shard().index.Oldest())
	case errors.Is(err, index.ErrFuture):
		return problem.New(http.StatusServiceUnavailable, "epoch-not-reached", "this replica has not applied the log so far, in the time that there was").With("epoch", l.shard().index.Epoch()).Retry(retryAfter)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem.New(http.StatusGatewayTimeout, "deadline-over", "the caller's time was over before there was an answer")
	}
	return err
}

// stored is a document with where it is in the log.
type stored struct {
	ID     string            `json:"id"`
	Title  string            `json:"title"`
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels,omitempty"`
	Offset int64             `json:"offset"`
	Epoch  int64             `json:"epoch"`
}

// leastOf reads the epoch that must have been reached; without one every one is.
func leastOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	least, err := strconv.ParseInt(text, 10, 64)
	if err != nil || least < 0 {
		return 0, problem.New(http.StatusBadRequest, "bad-request", "least: want an offset from 0 on")
	}
	return least, nil
}

func (l *leaf) document(c echo.Context) error {
	least, err := leastOf(c.QueryParam("least"))
	if err != nil {
		return err
	}
	return l.answer(c, "document", wire.Latest, least, func(_ context.Context, v *index.View) (any, error) {
		d, offset, err := v.Document(api.Param(c, "id"))
		if errors.Is(err, index.ErrUnknown) {
			return nil, problem.New(http.StatusNotFound, "document-not-found", "there is no document with this id in this shard")
		}
		if err != nil {
			return nil, err
		}
		return stored{ID: d.ID, Title: d.Title, Text: d.Text, Labels: d.Labels, Offset: offset, Epoch: v.Epoch()}, nil
	})
}

// state is what a leaf tells of itself beside what a root needs.
type state struct {
	wire.Status
	CaughtUp bool       `json:"caught_up"`
	Ended    bool       `json:"ended"`              // the partition has a seal: what is written now goes to another topic
	End      int64      `json:"end"`                // of the partition when it was last seen; -1: never
	Away     *time.Time `json:"log_away,omitempty"` // since when the log is not reached
}

func (l *leaf) status(c echo.Context) error {
	s := l.shard()
	documents, words, bytes := s.index.Size()
	answer := state{
		Status: wire.Status{
			Topic: l.cfg.Topic, Partition: l.cfg.Partition, Oldest: s.index.Oldest(), Documents: documents, Words: words, Bytes: bytes, Epoch: s.index.Epoch(), Marks: s.listMarks(),
		},
		CaughtUp: l.answers.Load(), Ended: s.isSealed(),
	}
	l.mu.Lock()
	answer.Snapshot, answer.End = l.snapshot, l.end
	if !l.away.IsZero() {
		since := l.away
		answer.Away = &since
	}
	l.mu.Unlock()
	tellEnd(c, s)
	return reply(c, answer)
}

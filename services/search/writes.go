package search

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

// Bounds of a write of many documents.
const (
	maxLines  = 1000
	maxMarked = 64 // bytes of a mark's name
)

// Written is where the log has what was written.
type Written struct {
	Shard   *int             `json:"shard,omitempty"`  // of a single document
	Offset  *int64           `json:"offset,omitempty"` // of a single document
	Written int              `json:"written"`
	Epochs  map[string]int64 `json:"epochs"` // by shard: whoever searches at these, or later, finds it; see min_epochs
	Layout  string           `json:"layout"` // whose shards and epochs these are: its topic
}

// put writes a document under the id of the path.
func (s *server) put(c echo.Context) error {
	id := api.Param(c, "id")
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return unreadable(err)
	}
	var d document.Document
	if err := decode(body, &d); err != nil {
		return badDocument(err.Error())
	}
	if d.ID != "" && d.ID != id {
		return badDocument("the id of the body is not the one of the path: leave it out, or send the same")
	}
	d.ID = id
	if err := document.Check(d); err != nil {
		return badDocument(oneLine(err))
	}
	return s.writeOne(c, doclog.Put(d))
}

// remove deletes a document. One that is not there is deleted as well: the log does not know.
func (s *server) remove(c echo.Context) error {
	id := api.Param(c, "id")
	if err := checkID(id); err != nil {
		return badDocument(err.Error())
	}
	return s.writeOne(c, doclog.Delete(id))
}

func (s *server) writeOne(c echo.Context, r doclog.Record) error {
	return s.writing(c, func(ctx context.Context, t *table) error {
		results := t.acknowledged(t.log.writer.Write(ctx, doclog.Placed{Record: r, Partition: t.placed.Of(r.ID)}))
		if err := s.outcome(results); err != nil {
			return err
		}
		w := t.written(results)
		shard := int(results[0].Partition)
		w.Shard, w.Offset = &shard, &results[0].Offset
		return c.JSON(http.StatusOK, w)
	})
}

// bulk writes documents, one in each line. Nothing is written when a line is wrong; then every wrong line is named.
func (s *server) bulk(c echo.Context) error {
	documents, err := lines(c.Request().Body)
	if err != nil {
		return err
	}
	return s.writing(c, func(ctx context.Context, t *table) error {
		records := make([]doclog.Placed, len(documents))
		for i, d := range documents {
			records[i] = doclog.Placed{Record: doclog.Put(d), Partition: t.placed.Of(d.ID)}
		}
		results := t.acknowledged(t.log.writer.Write(ctx, records...))
		if err := s.outcome(results); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, t.written(results))
	})
}

// mark writes a mark to every shard: where it is read, all that was written before is read, too.
func (s *server) mark(c echo.Context) error {
	name := api.Param(c, "name")
	if err := checkMark(name); err != nil {
		return err
	}
	return s.writing(c, func(ctx context.Context, t *table) error {
		results := t.acknowledged(t.log.writer.Mark(ctx, name))
		if err := s.outcome(results); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, t.written(results))
	})
}

// checkID tells what is wrong with an id.
func checkID(id string) error { return document.Check(document.Document{ID: id}) }

func checkMark(name string) error {
	if checkID(name) != nil || len(name) > maxMarked {
		return problem.New(http.StatusBadRequest, "mark-invalid", fmt.Sprintf("the name of a mark is 1 to %d printable ASCII characters without spaces", maxMarked))
	}
	return nil
}

// writing lets a write in and gives it its time.
func (s *server) writing(c echo.Context, write func(context.Context, *table) error) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.cfg.WriteTimeout)
	defer cancel()
	if err := enter(ctx, s.writes); err != nil {
		return err
	}
	defer s.writes.Leave()
	t, err := s.fleet.holdToWrite(ctx)
	if err != nil {
		return err
	}
	defer t.release()
	ctx, cancel = context.WithTimeout(c.Request().Context(), s.cfg.WriteTimeout) // what it was held for is not the log's
	defer cancel()
	if t.log == nil {
		return problem.New(http.StatusServiceUnavailable, "log-unavailable", "this root has no log: documents cannot be written here")
	}
	if err := t.log.verify(); err != nil {
		return s.outcome([]doclog.Result{{Err: err}})
	}
	return write(ctx, t)
}

// outcome is nil when all was written. Else it says whether it is known that what is missing was not, by number from 1.
func (s *server) outcome(results []doclog.Result) error {
	var invalid, refused, unknown []int
	var reason *doclog.Invalid
	var cause error // of the last that failed, for the log
	for i, r := range results {
		var doubtful *doclog.Unknown
		switch {
		case r.Err == nil:
			s.metrics.writes.WithLabelValues("written").Inc()
		case errors.As(r.Err, &reason):
			s.metrics.writes.WithLabelValues("invalid").Inc()
			invalid = append(invalid, i+1)
		case errors.As(r.Err, &doubtful):
			s.metrics.writes.WithLabelValues("unknown").Inc()
			unknown = append(unknown, i+1)
		default:
			s.metrics.writes.WithLabelValues("refused").Inc()
			refused = append(refused, i+1)
		}
		if r.Err != nil {
			cause = r.Err
		}
	}
	var p *problem.Problem
	switch {
	case len(unknown) > 0:
		p = problem.New(http.StatusGatewayTimeout, "outcome-unknown", "the log did not say in time whether it has what was sent; to write the same again does no harm").Retry(doclog.RetryAfter)
	case len(refused) > 0:
		p = problem.New(http.StatusServiceUnavailable, "log-unavailable", "the log cannot be written now").Retry(doclog.RetryAfter)
	case len(invalid) > 0:
		p = badDocument(reason.Reason)
	default:
		return nil
	}
	if len(results) > 1 {
		written := len(results) - len(unknown) - len(refused) - len(invalid)
		p = p.With("written", written).With("unknown", some(unknown)).With("not_written", some(append(refused, invalid...)))
	}
	return fmt.Errorf("%w (%w)", p, cause)
}

func some(numbers []int) []int {
	if numbers == nil {
		return []int{}
	}
	return numbers
}

func (t *table) written(results []doclog.Result) *Written {
	w := &Written{Written: len(results), Epochs: map[string]int64{}, Layout: t.layout.Topic}
	for _, r := range results {
		shard := strconv.Itoa(int(r.Partition))
		w.Epochs[shard] = max(w.Epochs[shard], r.Offset+1)
	}
	return w
}

func badDocument(detail string) *problem.Problem {
	return problem.New(http.StatusBadRequest, "document-invalid", detail)
}

// oneLine writes what errors.Join puts in lines.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// lines reads documents, one in each line. The problem has every line that is wrong.
func lines(body io.Reader) ([]document.Document, error) {
	type badLine struct {
		Line   int    `json:"line"`
		Detail string `json:"detail"`
	}
	var documents []document.Document
	var wrong []badLine
	scan := bufio.NewScanner(body)
	scan.Buffer(make([]byte, 0, 64<<10), 2<<20) // the body itself is bounded by less
	for n := 1; scan.Scan(); n++ {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		if len(documents)+len(wrong) == maxLines {
			return nil, badDocument(fmt.Sprintf("more than %d documents: send them in several requests", maxLines))
		}
		var d document.Document
		err := decode(line, &d)
		if err == nil {
			err = document.Check(d)
		}
		if err != nil {
			wrong = append(wrong, badLine{n, oneLine(err)})
			continue
		}
		documents = append(documents, d)
	}
	if err := scan.Err(); err != nil {
		return nil, unreadable(err)
	}
	if len(wrong) > 0 {
		return nil, badDocument(fmt.Sprintf("%d lines are no documents, the first is line %d: %s; nothing was written", len(wrong), wrong[0].Line, wrong[0].Detail)).With("lines", wrong)
	}
	if len(documents) == 0 {
		return nil, badDocument("there is no document: send one as JSON in each line")
	}
	return documents, nil
}

// unreadable is a body that ends early, or is too large, which echo has an error of its own for.
func unreadable(err error) error {
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return known
	}
	return problem.New(http.StatusBadRequest, "body-incomplete", "the request ended before its body did")
}

// decode reads one JSON object. Keys that documents do not have are mistakes, which would be lost in silence.
func decode(text []byte, d *document.Document) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		if name, is := strings.CutPrefix(err.Error(), "json: unknown field "); is {
			return fmt.Errorf("%.80s is unknown: a document has id, title, text and labels", name)
		}
		return errors.New(`want a JSON object like {"id": "a1", "title": "…", "text": "…", "labels": {"pos": "noun"}}`)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON object")
	}
	return nil
}

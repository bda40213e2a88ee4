package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// REST reads the items of a list that an HTTP endpoint answers, such as the
// errors of a component in the UI of Storm:
//
//	{"componentErrors": [{"errorTime": 1709633472000, "errorHost": "w1", "error": "java.lang.…"}]}
//
// An item is new when the answer before did not have it. What came and went
// between two answers is never seen.
type REST struct {
	Client   *http.Client // bounds the call and its answer
	URL      string
	Token    string   // sent as a bearer token
	Items    []string // the way to the list
	ID       []string // fields that tell items apart; the whole item when empty
	Severity string   // of items that tell none
	Env      *format.Env
}

// maxItems bounds a list.
const maxItems = 10_000

// Poll implements Poller.
func (p *REST) Poll(ctx context.Context, now time.Time, cursor json.RawMessage, emit func(*record.Record) error) (json.RawMessage, int, error) {
	var before []string
	if cursor != nil {
		if err := json.Unmarshal(cursor, &before); err != nil {
			return nil, 0, fmt.Errorf("read cursor: %w", err)
		}
	}
	seen := make(map[string]bool, len(before))
	for _, id := range before {
		seen[id] = true
	}
	items, err := p.ask(ctx)
	if err != nil {
		return nil, 0, err
	}
	after := make([]string, 0, len(items))
	p.Env.Now = now
	var r record.Record
	for _, item := range items {
		id := p.id(item)
		after = append(after, id)
		if seen[id] {
			continue
		}
		seen[id] = true
		p.describe(&r, item, id, now)
		if err := emit(&r); err != nil {
			return nil, 0, err
		}
	}
	raw, err := json.Marshal(after)
	return raw, 0, err
}

// ask returns the items of the list.
func (p *REST) ask(ctx context.Context) ([][]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask: answer %s", resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return list(body, p.Items)
}

// list finds the list in an answer.
func list(body []byte, way []string) ([][]byte, error) {
	for _, name := range way {
		members, ok := rawjson.Members(body, nil)
		if !ok {
			return nil, fmt.Errorf("read answer: no object where %s should be", name)
		}
		body = nil
		for _, m := range members {
			if string(rawjson.Unquote(m.Name)) == name {
				body = m.Value
			}
		}
		if body == nil {
			return nil, nil // no errors may mean no list
		}
	}
	items, ok := rawjson.Elements(body, nil)
	switch {
	case string(body) == "null":
		return nil, nil
	case !ok:
		return nil, errors.New("read answer: no list at " + strings.Join(way, "."))
	case len(items) > maxItems:
		return nil, fmt.Errorf("read answer: %d items, at most %d", len(items), maxItems)
	}
	return items, nil
}

// id tells items apart.
func (p *REST) id(item []byte) string {
	h := fnv.New128a()
	if len(p.ID) == 0 {
		h.Write(item)
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	members, _ := rawjson.Members(item, nil)
	for _, name := range p.ID {
		for _, m := range members {
			if string(rawjson.Unquote(m.Name)) == name {
				h.Write(m.Value)
			}
		}
		h.Write([]byte{0})
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func (p *REST) describe(r *record.Record, item []byte, id string, now time.Time) {
	r.Reset()
	if !format.JSON(p.Env, item, r) {
		r.Reset()
		r.Body = record.JSON(item)
		r.Add("unparsed", record.Text([]byte("format")))
	}
	if text, is := bodyText(r.Body); is {
		assemble.Exception(text, r)
	}
	r.Observed, r.UID = now.UnixNano(), []byte(id)
	if r.Severity == 0 && p.Severity != "" {
		r.Severity, _ = record.ParseLevel([]byte(p.Severity))
		r.Level = []byte(p.Severity)
	}
}

func bodyText(v record.Value) ([]byte, bool) {
	if b := v.Bytes(); len(b) > 0 && b[0] == '"' {
		return rawjson.Unquote(b), true
	}
	return nil, false
}

// Close implements Poller.
func (p *REST) Close() { p.Client.CloseIdleConnections() }

// Way is the way to a list as the configuration writes it.
func Way(items string) []string {
	if items == "" {
		return nil
	}
	return strings.Split(items, ".")
}

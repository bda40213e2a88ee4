package search

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/merge"
	"github.com/flotilla-dev/flotilla/services/search/query"
)

// Bounds of a request.
const (
	defaultLimit = 10
	maxLimit     = 100
	maxExplained = 20 // with explain=1: each hit costs a call
	maxFacets    = 8
)

// A request is what somebody searches for.
type request struct {
	text     string
	node     *query.Node
	columns  []int // of the nodes that score, in preorder: where they are written
	operator query.Kind
	limit    int
	cursor   *merge.Cursor // nil: from the beginning
	facets   []string
	all      bool    // an answer of which a part is missing is none
	least    []int64 // by shard: an epoch that must have been reached
	explain  bool
	of       merge.Query
}

// parameters are those of a search. A parameter that is misspelt would be ignored in silence, so others are refused.
var parameters = []string{"q", "limit", "after", "operator", "facets", "require", "min_epochs", "explain"}

// parse reads a request. All that is wrong is a problem that says what would be right.
func parse(values url.Values, t *table, d Distribution) (*request, error) {
	if err := checkNames(values, parameters...); err != nil {
		return nil, err
	}
	r := &request{text: values.Get("q"), operator: query.Or, limit: defaultLimit}
	for _, read := range []func(url.Values) error{r.readOperator, r.readQuery, r.readNumbers, r.readFacets, r.readChoices} {
		if err := read(values); err != nil {
			return nil, err
		}
	}
	if err := r.readLeast(values.Get("min_epochs"), t); err != nil {
		return nil, err
	}
	r.of = merge.QueryOf(r.node.String(), string(d), t.layout.Topic)
	if text := values.Get("after"); text != "" {
		var err error
		if r.cursor, err = merge.Parse(text, r.of, len(t.shards)); err != nil {
			if !t.informed() {
				return nil, problem.New(http.StatusServiceUnavailable, "layout-unknown", "the cursor does not fit the layout that is searched here, unconfirmed, until the control topic can be read").Retry(time.Second)
			}
			if t.hadCursor(text, r.node.String(), d) {
				return nil, problem.New(http.StatusGone, "cursor-expired", "the first page is of a layout that does not serve any more: begin again without after").With("layout", t.layout.Topic)
			}
			return nil, problem.New(http.StatusBadRequest, "cursor-invalid", err.Error())
		}
		if len(values.Get("min_epochs")) > 0 {
			return nil, badParameter("min_epochs", "has no meaning with after: a page is of the epochs of the first one")
		}
	}
	return r, nil
}

// checkNames finds parameters that are none of these, and those that are there twice.
func checkNames(values url.Values, known ...string) error {
	for name, given := range values {
		if !slices.Contains(known, name) {
			return badParameter(name, fmt.Sprintf("is unknown: there are %s", strings.Join(known, ", ")))
		}
		if len(given) > 1 {
			return badParameter(name, "is there more than once")
		}
	}
	return nil
}

func badParameter(name, what string) error {
	if len(name) > 64 {
		name = name[:64] + "…"
	}
	return problem.New(http.StatusBadRequest, "parameter-invalid", "parameter "+strconv.Quote(name)+" "+what).With("parameter", name)
}

func (r *request) readOperator(values url.Values) error {
	switch values.Get("operator") {
	case "", "or":
	case "and":
		r.operator = query.And
	default:
		return badParameter("operator", "is or, or and")
	}
	return nil
}

func (r *request) readQuery(url.Values) (err error) {
	r.node, r.columns, err = parseQuery(r.text, r.operator)
	return err
}

// parseQuery reads a query, or says where it is wrong.
func parseQuery(text string, operator query.Kind) (*query.Node, []int, error) {
	node, columns, err := query.ParseColumns(text, query.Options{Operator: operator})
	var wrong *query.Error
	if errors.As(err, &wrong) {
		return nil, nil, problem.New(http.StatusBadRequest, "query-invalid", wrong.Message).With("column", wrong.Column)
	}
	return node, columns, err
}

func (r *request) readNumbers(values url.Values) error {
	r.explain = values.Get("explain") == "1"
	if e := values.Get("explain"); e != "" && e != "0" && e != "1" {
		return badParameter("explain", "is 0 or 1")
	}
	most := maxLimit
	if r.explain {
		most = maxExplained
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return badParameter("limit", fmt.Sprintf("is a number from 1 to %d", most))
		}
		r.limit = n
	}
	return nil
}

var labelName = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

func (r *request) readFacets(values url.Values) error {
	text := values.Get("facets")
	if text == "" {
		return nil
	}
	for name := range strings.SplitSeq(text, ",") {
		if !labelName.MatchString(name) || len(r.facets) == maxFacets || slices.Contains(r.facets, name) {
			return badParameter("facets", fmt.Sprintf("is at most %d different names of labels, of a-z, 0-9 and _, with commas", maxFacets))
		}
		r.facets = append(r.facets, name)
	}
	return nil
}

func (r *request) readChoices(values url.Values) error {
	switch values.Get("require") {
	case "":
	case "all":
		r.all = true
	default:
		return badParameter("require", "is all")
	}
	return nil
}

// readLeast reads documents/0:18,2:7, as the answer to a write gives them with its layout. Without a layout they are of the one that serves,
// if no other one ever has.
func (r *request) readLeast(text string, t *table) error {
	r.least = t.least()
	if text == "" {
		return nil
	}
	layout, pairs, named := strings.Cut(text, "/")
	if !named {
		layout, pairs = "", text
	}
	if satisfied, err := t.ofAnother(layout); satisfied || err != nil {
		return err
	}
	shards := len(t.shards)
	if len(pairs) > shards*24 {
		return badParameter("min_epochs", "is longer than an epoch for each shard is")
	}
	for pair := range strings.SplitSeq(pairs, ",") {
		shard, epoch, found := strings.Cut(pair, ":")
		i, err := strconv.Atoi(shard)
		e, err2 := strconv.ParseInt(epoch, 10, 64)
		if !found || err != nil || err2 != nil || i < 0 || i >= shards || e < 0 {
			return badParameter("min_epochs", fmt.Sprintf("is shard:epoch,…, such as 0:18, with shards from 0 to %d", shards-1))
		}
		r.least[i] = max(r.least[i], e)
	}
	return nil
}

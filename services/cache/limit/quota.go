package limit

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// overflowShare is how many identities' worth the bucket of the untracked is.
const overflowShare = 10

// quota is the limit of one kind of identity in one class, with all that need not be computed per request.
type quota struct {
	class   string
	id      uint32 // of the class's name
	kind    Kind
	rate    float64 // tokens per second
	burst   float64
	limit   int    // burst, for the fields
	policy  []byte // RateLimit-Policy
	allowed prometheus.Counter
	limited prometheus.Counter
}

// table is a compiled policy, immutable.
type table []compiledClass

type compiledClass struct {
	prefix string
	quotas [kinds]*quota // nil: not limited
}

// compile sorts the classes so that the first match is the longest. ids tells a class's number by its name.
func compile(limits Limits, ids func(name string) uint32, m *metrics) table {
	var t table
	for _, c := range limits {
		one := compiledClass{prefix: c.Prefix}
		for kind, r := range [kinds]*Rate{Anonymous: c.Anonymous, Login: c.Login} {
			if r != nil {
				one.quotas[kind] = newQuota(c.Name, ids(c.Name), Kind(kind), *r, m)
			}
		}
		shared := c.Anonymous
		if shared == nil {
			shared = c.Login
		}
		if shared != nil {
			r := Rate{Rate: shared.Rate * overflowShare, Burst: shared.Burst * overflowShare}
			one.quotas[Overflow] = newQuota(c.Name, ids(c.Name), Overflow, r, m)
		}
		t = append(t, one)
	}
	slices.SortStableFunc(t, func(a, b compiledClass) int { return len(b.prefix) - len(a.prefix) })
	return t
}

func newQuota(class string, id uint32, kind Kind, r Rate, m *metrics) *quota {
	q := &quota{class: class, id: id, kind: kind, rate: r.Rate, burst: float64(r.Burst), limit: r.Burst}
	q.policy = append(q.policy, '"')
	q.policy = append(append(q.policy, class...), `";q=`...)
	q.policy = strconv.AppendInt(q.policy, int64(r.Burst), 10)
	q.policy = append(q.policy, ";w="...)
	q.policy = strconv.AppendInt(q.policy, int64(math.Max(1, math.Ceil(q.burst/q.rate))), 10)
	q.allowed = m.requests.WithLabelValues(class, kind.String(), "allowed")
	q.limited = m.requests.WithLabelValues(class, kind.String(), "limited")
	return q
}

// find returns the class of a path, or nil.
func (t table) find(path string) *compiledClass {
	for i := range t {
		if covers(t[i].prefix, path) {
			return &t[i]
		}
	}
	return nil
}

func covers(prefix, path string) bool {
	if !strings.HasPrefix(path, prefix) {
		return false
	}
	return len(path) == len(prefix) || prefix[len(prefix)-1] == '/' || path[len(prefix)] == '/'
}

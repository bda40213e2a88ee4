package broker

import (
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
)

func TestTheFirstSourceThatNamesATargetIsBelieved(t *testing.T) {
	t.Parallel()
	a, b := []source.Candidate{{Name: "a", Address: "a:1"}}, []source.Candidate{{Name: "b", Address: "b:2"}}
	r := func(s source.State, c []source.Candidate) source.Report {
		return source.Report{State: s, Candidates: c}
	}
	for name, c := range map[string]struct {
		reports        []source.Report
		source         string
		stale, pending bool
	}{
		"the first":                            {[]source.Report{r(source.Found, a), r(source.Found, b)}, "one", false, false},
		"the second, where the first has none": {[]source.Report{r(source.Gone, nil), r(source.Found, b)}, "two", false, false},
		"nobody before the first has answered": {[]source.Report{r(source.Pending, nil), r(source.Found, b)}, "", false, true},
		"the first needs not wait for others":  {[]source.Report{r(source.Found, a), r(source.Pending, nil)}, "one", false, false},
		"a failed source keeps its place":      {[]source.Report{r(source.Failed, a), r(source.Found, b)}, "one", true, false},
		"unless it never said anything":        {[]source.Report{r(source.Failed, nil), r(source.Found, b)}, "two", false, false},
		"one that is gone steps back":          {[]source.Report{r(source.Gone, a), r(source.Found, b)}, "two", false, false},
		"and is used when nobody is left":      {[]source.Report{r(source.Gone, a), r(source.Gone, nil)}, "one", true, false},
		"a failed one before one that is gone": {[]source.Report{r(source.Gone, a), r(source.Failed, b)}, "two", true, false},
		"nobody":                               {[]source.Report{r(source.Gone, nil), r(source.Failed, nil)}, "", false, false},
	} {
		got := decide([]string{"one", "two"}, c.reports)
		if got.Source != c.source || got.Stale != c.stale || got.Pending != c.pending {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

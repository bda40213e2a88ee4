package index

import (
	"context"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Explain tells why a document has its score, which has the bits of that in Search's answer. For one that does not match, it tells
// what would be added, and the score is 0.
func (v *View) Explain(plan wire.Plan, id string) (wire.Explanation, error) {
	if err := checkPlan(&plan); err != nil {
		return wire.Explanation{}, err
	}
	number, found, err := v.version(id)
	if err != nil {
		return wire.Explanation{}, err
	}
	t, err := v.take(&plan)
	if err != nil {
		return wire.Explanation{}, err
	}
	p := (&compiler{plan: &plan, taken: t, apart: true}).compile(context.Background())
	matches := p.seek(number) == number
	explained := wire.Explanation{About: "does not match " + plan.Query.String()}
	for i := range p.leaves {
		l := &p.leaves[i]
		var part wire.Explanation
		switch there := l.scorer.seek(number) == number; {
		case !there:
			part.About = l.node.String() + " is not in " + fieldAbout[l.field]
		case matches && !l.counts(number):
			part.About = l.node.String() + " is in " + fieldAbout[l.field] + ", but not all that AND joins to it"
		default:
			part = l.about(l.node, l.frequency(), found.length(l.field))
		}
		explained.Parts = append(explained.Parts, part)
	}
	if matches {
		explained.Score, explained.About = p.score(number, found), "sum, in the order of the query, for "+plan.Query.String()
	}
	return explained, nil
}

// Package experiments holds what prove runs: for each pattern the questions, and for
// each question a function that measures the answer. One file per question; what they
// share – processes, load, comparison – is in rig, openloop, closedloop and duel.
package experiments

import "github.com/flotilla-dev/flotilla/loadtest/proof"

// All lists the patterns in the order of the catalogue.
func All() []proof.Pattern {
	return []proof.Pattern{
		s1(),
		s2(),
		s3(),
		s4(),
		s5(),
		a1(),
		a2(),
		a3(),
		a4(),
		d1(),
		d2(),
		d3(),
		r1(),
		r2(),
		r3(),
		r4(),
		r5(),
		h1(),
		h2(),
		h3(),
		h4(),
		g1(),
		g2(),
		o0(),
		o1(),
		o2(),
		o3(),
	}
}

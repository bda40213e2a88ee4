package experiments

import "github.com/flotilla-dev/flotilla/loadtest/proof"

func d2() proof.Pattern {
	return proof.Pattern{ID: "D2", Title: "Adapter: log normalisation", Page: "d2-lognorm.md", Experiments: []proof.Experiment{
		{Name: "million", Question: "A million lines of ten formats, with stack traces and garbage: is every one accounted for, and how many a second does one core read?", Run: million},
		{Name: "crash", Question: "And while the log is rotated in both ways and the adapter is killed again and again?", Run: crash},
	}}
}

// Package proof is the frame of the experiments: a claim, what was measured, a
// verdict.
//
// A Pattern has experiments; an Experiment answers one question and writes what it
// found into a Report: claims (which hold or do not), measurements (which only
// inform), tables and charts. The Runner runs them, prints as it goes, and keeps
// everything as <results>/<pattern>.json beside SVG files; Document makes
// docs/results.md of those files, so that the page never says more than was
// measured.
//
//	func retries(ctx context.Context, r *proof.Report) error {
//		…
//		r.Claim(proof.AtMost("failed requests", float64(failed), 0, "requests"))
//		return nil
//	}
//
// An experiment that cannot run here returns Missing, which is neither success
// nor failure. Any other error is a failure: its claims were not shown. A claim
// that does not hold stays in the results, red, with a reason where one is known
// (results/reasons.json, written by people).
package proof

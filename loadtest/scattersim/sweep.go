package scattersim

import "time"

// Row is the result for a number of leaves.
type Row struct {
	Leaves int
	Result
}

// Sweep simulates a configuration with several numbers of leaves. Requests are fewer where the leaves are many, so that each takes its time and
// not more; but at least least.
func (c Config) Sweep(leaves []int, calls, least int) []Row {
	var rows []Row
	for _, n := range leaves {
		c.Leaves = n
		c.Requests = min(max(calls/n, least), maxCalls/n)
		rows = append(rows, Row{n, c.Run()})
	}
	return rows
}

// Best is the number of leaves with the shortest latency at a quantile, the fewest of those that are equal.
func Best(rows []Row, q float64) (leaves int, latency time.Duration) {
	for _, r := range rows {
		if l := r.Quantile(q); leaves == 0 || l < latency {
			leaves, latency = r.Leaves, l
		}
	}
	return leaves, latency
}

package experiments

import "github.com/flotilla-dev/flotilla/loadtest/proof"

func g2() proof.Pattern {
	return proof.Pattern{ID: "G2", Title: "Scatter/gather with leaf sharding: document search", Page: "g2-leaf-sharding.md", Experiments: []proof.Experiment{
		{Name: "identity", Question: "Do 2, 3, 5 and 8 shards answer 1,000 queries as one index does – the same documents in the same order with the same scores – and also after documents were added, replaced and deleted?", Run: sameAsOneIndex},
		{Name: "relevance", Question: "Does the ranking find what people judged to be relevant as well as Lucene's does, with 1 and with 8 shards?", Run: rankedAsJudged},
		{Name: "sizes", Question: "How long do searches take with 1, 2, 4 and 8 leaves, how fast are documents indexed, and how much memory does one take?", Run: sizesOfLeaves},
		{Name: "stragglers", Question: "With 1 % slow leaves, how many requests are slow with 1, 5, 20 and 100 leaves, and what do hedged requests make of it?", Run: stragglers},
		{Name: "yield", Question: "With 100 leaves that fail in 1 % of their answers, how many requests are answered whole, without and with replicas?", Run: yieldOfMany},
		{Name: "upgrade", Question: "Do users notice when all leaves are upgraded one after the other, and when any replica is killed, at 100 requests per second?", Run: upgradeUnderLoad},
		{Name: "noisy", Question: "When one leaf becomes slow, how long does it take the root to leave it alone?", Run: noisyNeighbour},
		{Name: "leaves", Question: "Which number of leaves is the best on this machine, and does the simulator know it?", Run: bestNumberOfLeaves},
		{Name: "writes", Question: "Do writers read what they wrote, and what happens to reads and writes while Kafka is away?", Run: writesAndTheLog},
	}}
}

package experiments

import "github.com/flotilla-dev/flotilla/loadtest/proof"

func h2() proof.Pattern {
	return proof.Pattern{ID: "H2", Title: "Sharding functions", Page: "h2-sharding-functions.md", Experiments: []proof.Experiment{
		{Name: "moved", Question: "Ten shards become eleven: which share of 100,000 keys moves, and does a key move between two shards that stay?", Run: keysMoved},
		{Name: "even", Question: "How much more than the mean does the fullest of ten shards have, with equal weights, with one of three times the others', and with one popular key?", Run: loadsEven},
		{Name: "look-up", Question: "What does a look-up cost among 10, 100 and 1,000 shards?", Run: lookUps},
		{Name: "key", Question: "Whole request, path, address and path, country and path: which key hits, and which one answers in a wrong language?", Run: keysOfRequests},
	}}
}

// shardKeys are the keys of these experiments: the claims are of 100,000.
const shardKeys = 100_000

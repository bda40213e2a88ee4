// Package scatter is the pattern scatter/gather by itself: a request is sent to one replica of every shard at once, and what they
// answer is gathered. It knows neither what is asked nor how it is sent.
//
//	s := scatter.New(scatter.Options{…})
//	search := s.Kind("search")
//	g := scatter.Gather(ctx, search, shards, func(ctx context.Context, shard int, replica *upstream.Endpoint) (Answer, error) { … })
//
// # Stragglers
//
// A request is as slow as the slowest of its shards: with one call in a hundred slow, five shards make one request in twenty slow,
// and a hundred shards two in three. So a call that takes longer than nearly all others of its kind – a quantile, measured over a
// window that moves – is hedged: the same is asked of another replica of the shard, the first good answer counts, and the loser is
// cancelled. A budget bounds the hedges to a share of the calls: when everything is slow, hedging everything would make it slower.
//
// # Failures
//
// A replica that fails is replaced at once by another one, within a number of attempts and a budget of its own; one that was not even
// reached costs no budget, because it has done no work. What has no answer
// at the deadline is missing, and the result says which shards are and why, by a closed set of reasons. Whether a part of the answer
// will do is for the caller to say.
//
// # What a replica is blamed for
//
// The pool of a shard hears how each call went, and ejects a replica that fails again and again. A call that was cut off – it was
// overtaken by its hedge, or the deadline came – counts as a failure when it had taken longer than the quantile by then: so a
// replica that hangs, or has become slow beside the others, is left alone after a few hedges and costs no budget any more. When the
// caller went away, nothing is said of the replica.
package scatter

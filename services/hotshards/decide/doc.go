// Package decide says how many replicas each shard should have, and which shards should
// share theirs. It is pure: it reads no clock and asks nobody, so that every decision can be
// computed again from the numbers that it carries.
//
// # Groups
//
// Every shard has replicas of its own, its home. A shard that is served by another one's
// replicas is a guest there. The shards that the same replicas serve are a group; what is hot or cold is
// a group, because requests per replica is what a replica feels.
//
// # The level
//
// A group is compared with the mean of the other shards: the requests per second that each of their replicas would get, if
// each had its home and the least replicas that it may have. That mean, or Policy.Floor where it is more, is the level.
// Comparing with others and not with a fixed rate is what tells a hot shard from a busy day: on a busy day all
// ratios are one, and more replicas for everybody is the work of an autoscaler.
//
// The least replicas count, and not those that there are, so that the level depends on the loads alone. If it fell
// with each replica that somebody gets, one shard that is given more would make the next one look hot, and all would
// climb to the budget, each after the other.
//
// Shards that nobody can answer for are left out of it, and so are those that came back less than a window ago: that they get
// nothing makes nobody hot. Where that leaves nobody to compare with, nobody is hot.
//
// Whether shards are cold is asked of the replicas that the others have now: a shard is not cold because another
// one is hot and has been given replicas for that. This cannot go round in circles: how many replicas somebody gets
// depends on no place.
//
//	hot?   requests per second and replica / those of the others, with their least replicas
//	cold?  requests per second and replica / those of the others, with the replicas that they have
//
//	       Cold         Part    Cool        Hot
//	 ───────┼────────────┼───────┼───────────┼──────▶ ratio
//	 shares │            │ guest │           │ more
//	 its    │            │ goes  │           │ replicas
//	 home   │            │ home  │           │
//
// More replicas are added until the ratio is at most Cool, at most Step of them at once. One
// is taken away when the ratio without it would still be at most Cool. So the ratio has to change by Hot / Cool
// before a step is undone, and by Part / Cold before a guest goes home: noise that is smaller cannot
// make the replicas flap, whatever its order. Against larger noise each condition must hold for several looks in a row,
// and there is a rest after each change: a short one before more is added, a long one before anything is taken away.
//
// A latency alone is no reason: the answers of a slow disk do not become faster by more replicas. A
// group is also hot when its 99th percentile is Late times that of the others while its ratio is
// in the upper half between Cool and Hot.
//
// # Restarts
//
// A Judge keeps the looks in a row and the time of the last change. A new one begins with no looks, and as if
// something had just been changed: it decides later than the one before would have, and never sooner.
package decide

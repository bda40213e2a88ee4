// Package limit decides which requests a replica of the cache takes: rate limits by client, class of path and
// login, shared between all replicas, and a bound on what is in flight.
//
// It knows no transport: the cache hands it addresses, a few header fields and a path, and gets a Decision.
//
//	who := identifier.Identify(peer, forwardedFor, authorization, cookie)
//	d := limiter.Decide(who, path)
//	d.WriteHeader(header)
//	if !d.Allowed {
//		d.Problem().Write(w) // 429
//		return
//	}
//	if err := shedder.Acquire(ctx); err != nil {
//		limit.Overloaded().Write(w) // 503
//		return
//	}
//	defer shedder.Release()
//
// # Who
//
// An identity is the subject of a valid login token, else the client's address; an IPv6 address stands for its
// /64. X-Forwarded-For is read only when the peer is a trusted proxy, from the right, up to the first address
// that is not one. A token is a JWT signed with Ed25519 – no other algorithm is believed –, for our audience
// and not expired, in Authorization: Bearer or in a cookie; any other token is as none. Verifying takes some
// 50 µs, so its result is remembered by the token's digest, and the number of verifications per second is
// bounded. The tool login-token makes keys and tokens for development.
//
// # How much
//
// The longest prefix of the path gives the class, and the class the rate and the burst of each kind of identity.
// In a time t an identity gets burst + rate × t in a class, from all replicas together; measured, within 1 % of
// that over the four seconds of a flood. How far it can be wrong for a moment is said below.
//
// # How that is shared
//
// Each bucket lives in Redis, and nobody waits for it. A replica allows from what it has here:
//
//   - its share: the level of the bucket as last seen, divided by the number of replicas, growing by rate ÷
//     replicas. What is used of it is charged to the bucket afterwards, within a second at most and much sooner
//     when it is a good part of the burst.
//   - leased tokens: when the share runs low, because more of the client's requests come here than elsewhere,
//     it asks the bucket for as many as its client used in the last tenth of a second. Those that lie unused
//     for that long are handed back.
//
// Every allowed request is charged exactly once, before or after. What can go wrong is only the order: a replica
// may use a share that another one leased away a moment ago. Then the bucket owes that, at most burst ÷ replicas
// for each of the others, and all wait until it is paid back. A client whom a replica has never seen begins there
// with a full share; if he emptied the bucket elsewhere, that is owed too.
//
// Visits are gathered: one script settles up to 128 buckets, one call is under way at a time, and a bucket that
// has nothing to give is not visited again before it has. Refusing costs no visit. So the number of calls
// depends on how many clients are near their limits, hardly on how many requests they send.
//
// # When Redis is away
//
// A call takes at most 150 ms, and nobody waits for it. After the first failure no visits are made, a beat
// looks every 250 ms whether Redis is back, and the shares simply go on: rate ÷ replicas, by the number of
// replicas last seen (from the beats of each in a sorted set) or configured, whichever is more. When Redis is
// back, what was used meanwhile is charged as far as the share has not made up for it.
// When Redis lost its data all buckets are full again.
//
// # Bounds
//
// Tracked bounds the identities × classes that are remembered. Past it the least recently used one is forgotten
// if it was silent for some seconds; if none was, a newcomer is counted in one bucket per class that all
// newcomers share, worth ten identities. So those who are active are not driven out by a flood from many
// addresses, and the flood limits itself. ratelimit_overflow_total counts it.
//
// A burst should be some tokens per replica: with fewer, a client below his limit may be refused now and then,
// when his one token happens to be at another replica.
package limit

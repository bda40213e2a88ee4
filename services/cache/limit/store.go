package limit

import "context"

// Store keeps the buckets that the replicas share.
type Store interface {
	// Settle visits the bucket of each ask, atomically per bucket, and fills grants, which is as long as asks.
	// After an error nothing of grants counts, and what has happened to the buckets is unknown.
	Settle(ctx context.Context, asks []Ask, grants []Grant) error
	// Beat says that this replica is alive, and tells how many are.
	Beat(ctx context.Context, instance string) (replicas int, err error)
	// Leave says that this replica goes.
	Leave(ctx context.Context, instance string) error
}

// Ask is one visit to a bucket.
type Ask struct {
	Key         string
	Rate, Burst float64
	// Charge is the number of tokens that were used without having been leased, less those that were leased
	// and are handed back. It is taken (or put back) whatever the level: a bucket may owe tokens.
	Charge float64
	// Want is the number of tokens to lease: whole ones, of those that are there.
	Want int
}

// Grant is the answer to an Ask.
type Grant struct {
	Tokens int     // leased
	Left   float64 // in the bucket after that; negative: it owes
}

// batch bounds the asks of one call, and by that how long the store is busy with it.
const batch = 128

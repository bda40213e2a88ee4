// Package wire is what the owner of a shard and the worker that keeps it say to each
// other: the claim of who asks, and the orders, entries and accounts of a ledger.
package wire

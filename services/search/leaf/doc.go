// Package leaf is a replica of one shard: it follows its partition of the log, keeps an index of it in memory and a snapshot on disk,
// and answers the roots for any moment that it has seen lately.
//
// A leaf is ready when it has applied all that the log had when it came, and stays ready when the log goes away: what it has it can
// answer for. It never leaves out a record: where the log has lost what comes next the leaf begins anew, and where its memory is
// full it stops and says so.
//
// At most SEARCHLEAF_CONCURRENCY requests are worked on at a time and 64 times as many wait; more are refused at once, because the root has other
// replicas to ask. Work ends when the caller's time is over.
package leaf

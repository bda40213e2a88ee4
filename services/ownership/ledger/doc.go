// Package ledger is the worker of the ownership pattern: it keeps shards of a ledger in files,
// for whoever owns them, and is the one who decides whether somebody still does.
//
// The owner of a shard computes what an entry makes of an account and sends the
// result, in its own name: owner, fencing token, version of the record that made it the owner. The ledger
// remembers the largest token that it saw, on disk, and refuses smaller ones. It needs
// nobody for that: neither etcd nor a clock.
//
// With LEDGER_CHECK=store it also asks the store, as the book has it ("double-check"). That
// refuses an owner whose lease ended before a successor was heard of, and costs a round trip
// through a quorum for each entry. It does not replace the remembered token: between the
// answer of the store and the write there is time, and a process can be stopped in it.
package ledger

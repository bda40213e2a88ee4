// Package control is the log in which it is decided which layout of a search serves while its documents move to another one.
//
// It is a topic of one partition. A record is a State with a number, one more than that of the state it was made from. Of several records
// with the same number the first one counts, for every reader; the others are void. So a step is taken by one at most (Log.Propose), and
// all who have read as far know the same. Each record has a key of its own: compaction takes none away.
//
// # Writes and the seal
//
// A View is what a root knows. It lets records be written to the log of the layout that serves while it has seen, no longer than Lease
// ago, that nothing is sealed; and a write counts as done if that is still so when the log has acknowledged it. Who seals the log
// announces it and waits for longer than Lease, so that whatever was acknowledged is before the seals: on no other clock than each process' own, and
// however long a root, a request or a broker stands still between.
package control

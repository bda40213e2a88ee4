// Package lease is ownership of a name by one process at a time: locks, leases
// that are renewed, elections, and the fencing token without which none of them
// protects anything.
//
// The words are those of the field: a process campaigns for a name, leads while its
// lease is held, resigns, and observes who leads (etcd's concurrency package); a lease
// is a lock with an end (Gray and Cheriton, "Leases: An Efficient Fault-Tolerant
// Mechanism for Distributed File Cache Consistency", 1989).
//
// # What is guaranteed, and what is not
//
// A [Store] has at most one holder of a name at a time, by its own clock. The holder
// cannot know that clock. It can only know when it last sent a renewal that was
// confirmed, and be careful: [Lease.Held] is true up to three quarters of the TTL
// after that moment, by the monotonic clock. The last quarter is for what was begun
// while it was true, and for clocks that do not run equally fast.
//
// That is not enough, and no amount of care is. Between asking Held and acting on the answer a process may be
// stopped for longer than any TTL: by its garbage collector, by SIGSTOP, by a host
// that swaps or migrates it. When it goes on, it acts for a name that somebody
// else holds. So every grant has a [Token] that is larger than those of all earlier
// grants of the name. Who acts sends it along; who is acted upon remembers the
// largest one it saw and refuses smaller ones (Kleppmann, "How to do distributed
// locking", 2016; Burns calls it the resource version of the lock). The lease is for
// liveness and thrift, the token is for safety.
//
// # Clocks
//
// Go measures with CLOCK_MONOTONIC. It goes on while a process is stopped by SIGSTOP:
// the first call of Held after SIGCONT is false. It stands still while the whole
// machine is suspended, or a virtual one is paused, snapshotted or moved: Held may
// still be true although years have passed, until the next renewal. CLOCK_BOOTTIME
// would count a suspended machine, but no clock of a guest has to count a paused
// one. The token covers both.
//
// # Where the book differs
//
// Burns' first unlock takes the lock from whoever has it; package lesson shows what
// happens then. His renewal writes the lock under a version that the write replaces, so that the
// second one fails; his waiting begins after the look and may miss a release. The README of
// the module has the whole list.
package lease

// Package etcdstore is a lease.Store on etcd v3.
//
// A name is a key; its value is JSON: holder, since when, for how long. What makes it a lock is one
// transaction: if the key's mod revision is still the one that was looked at (0: there is
// no key), put it, bound to a lease of etcd. The key goes by itself when the lease is not
// renewed in time. The token is the revision of that transaction, which grows with every
// write anywhere in etcd; renewals do not touch the key. (A cluster that was restored
// from a backup begins at an old revision: bump it, see etcdutl's --bump-revision.)
//
// A name that is given back is written once more, without a lease and without a
// holder, so that observers can tell a leader that resigned from one that vanished.
// The comparison of revisions covers both cases.
//
// A renewal is two steps. The keep-alive is answered by the leader of etcd from its memory;
// the transaction after it goes through the quorum and proves that the key still is
// there, unchanged: a lease that lives says nothing of a key that somebody deleted.
package etcdstore

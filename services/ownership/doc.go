// Package ownership is the service of the ownership pattern: several replicas, of which
// one owns each shard of a ledger.
//
// Every replica answers every request. The owner of the account's shard decides: it orders the
// entries of its shard, computes what each makes of the account, and dispatches that to the
// worker that keeps the shard, with its fencing token. A replica that is not the owner
// forwards the request to it, once; clients need not know who it is, and may be behind any
// load balancer. While nobody owns a shard, its requests wait for OWNERSHIP_WAIT and are
// then refused with 503: nobody acts without a lease that is surely held.
//
// An entry has an id, chosen by the client. What a client does after 503 or a lost
// answer is to send the same entry again; it is recorded once. The ledger knows the
// newest ids of each shard.
package ownership

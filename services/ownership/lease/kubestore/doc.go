// Package kubestore is a lease.Store on Leases of Kubernetes (coordination.k8s.io/v1).
//
// # A Lease is no lease
//
// The API server keeps a Lease for ever; it takes nothing from a holder that is silent. Candidates
// do that: one that has seen the same resourceVersion for the whole leaseDurationSeconds, by
// its own monotonic clock, may write itself in. Nobody compares clocks: renewTime is for
// people. It follows that a candidate that has just started waits for a whole TTL,
// whatever renewTime says, and that the clocks of two machines must not run at rates that
// differ by a quarter. client-go's leader election does the same.
//
// What is atomic is the write: a PUT carries the resourceVersion that was read, and is refused with
// 409 Conflict when there is a newer one.
//
// # The token
//
// A token must be larger than all earlier ones, known to the holder, and readable by a
// worker that double-checks. leaseTransitions looks like one and is not: whoever deletes the Lease
// sets it back to 0, and by convention it does not change when a holder of the same name comes
// again. The resourceVersion of the write that acquired would be one, but it is known only after the write,
// and the next renewal replaces it. So the token is the resourceVersion that the acquiring write was
// conditional on, and that write puts it into an annotation. Two acquisitions cannot be
// conditional on the same version, and the later one's is at least that of the earlier one's result. It grows
// across a deletion too, because the versions of a resource type come from one counter. That they may be
// compared as integers is promised from Kubernetes 1.35 on (KEP-5504) and was so before. Should
// the counter itself go back, because the cluster was restored from a backup, the token is
// the one before plus one, if the Lease survived.
package kubestore

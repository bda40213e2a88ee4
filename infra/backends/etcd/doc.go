// Package etcd is an embedded etcd as a process of the fleet: the server of
// go.etcd.io/etcd with the ports, probes, parameters and the end of every other
// process. It is for a machine that has no etcd; a test holds it to what a real
// one does.
//
// One member or three run in the process. Clients connect to the data listener
// alone, and each connection is handed to the next member that runs. A member can
// be stopped and started again through the administration listener, so that an
// election can be watched:
//
//	curl -X POST localhost:3379/members/2/stop
//
// Or each member is a process of its own, as in a cluster: ETCD_PEERS names them all.
//
// Leases of one second work: etcd grants no lease shorter than one and a half
// election time-outs, and the time-out here is 600 ms.
package etcd

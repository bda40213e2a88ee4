// Package replicas counts the replicas of services and changes their number, by whoever keeps
// them running: the runner of the local fleet (Runner) or Kubernetes (Kubernetes).
//
// # What the orchestrator does, and this does not
//
// Whoever takes a replica away takes it from the endpoints first, lets it drain (DRAIN_DELAY, DRAIN_TIMEOUT), and only then
// ends it: the runner by its endpoint file, Kubernetes by the endpoints of a Service and readiness.
//
// # Numbers, not steps
//
// Scale says how many there shall be, and how many they were when that was decided. If there are others by now, it
// fails with ErrChanged, and whoever decided looks again. Saying it twice does no harm.
//
// # Why not client-go
//
// Three calls are needed: GET of a workload, GET and PUT of its scale. client-go brings them with 26 MiB of
// binary and a hundred modules. What it does beside them is done here, too: the token of the service account is read
// again for each request, because it is replaced every hour, and the write is conditional on
// the resourceVersion that was read.
package replicas

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
package replicas

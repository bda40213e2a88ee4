// Package scattersim simulates a request that is scattered over leaves and gathered by a root, beyond what a machine can run.
//
//	result := scattersim.Config{Leaves: 100, Requests: 10_000, Wait: 20 * time.Millisecond, Slow: 0.01, SlowBy: 200 * time.Millisecond}.Run()
//	fmt.Println(result.Slow, result.Quantile(0.99))
//
// It is a simulation of discrete events in virtual time, and the same for the same seed. The model:
//
//   - The root computes Request for each request, and Gather for each call, half of it before the call is sent and half after it was answered.
//   - A leaf computes Overhead + Work ÷ Leaves for a call, in the order in which calls come; then it waits Wait, an exponentially
//     distributed time with mean Jitter and, with probability Slow, SlowBy as well. A call fails with probability Failure, when it would be
//     answered.
//   - A call that failed is sent to the next replica of its shard, if there is one. One that is not answered for a quantile of the latest calls
//     is sent to the next replica as well, within a budget, and the first good answer counts.
//   - Root and replicas have a core each, or all of them share Cores.
//
// What it leaves out: the network, the cancellation of what lost a hedge (it computes to its end here, which is the worse case), and time slices
// (who computes is not interrupted). Tests hold it to closed forms, and proof G2/leaves to measurements.
package scattersim

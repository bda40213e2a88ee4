// Package shadow sends copies of requests to a service whose answers nobody gets, and compares them with the
// answers that users got.
//
// Nothing here may cost a user anything: copies wait in a bounded queue, a few workers send them, and what does
// not fit – the queue is full, the memory for bodies is used up – is dropped and counted.
package shadow

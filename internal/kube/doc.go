// Package kube is the client of a Kubernetes API server for programs that need two or three of its calls.
//
//	client, err := kube.Open(kube.Account{URL: "https://kubernetes.default.svc", Dir: "/var/run/secrets/kubernetes.io/serviceaccount", Timeout: 2 * time.Second})
//	go client.Follow(ctx, log) // its authorities
//	defer client.Close()
//	err = client.Get(ctx, client.Path("apps/v1", "deployments", "cache"), &deployment)
//
// # Why not client-go
//
// k8s.io/client-go is well kept, and whoever needs informers, work queues or all of the API should take it. A program
// that reads an object, writes it under a condition and watches it would get 26 MiB of binary and a hundred modules for
// three HTTP requests; images here are at most 20 MB. What client-go does beside the requests is done here, too:
//
//   - The token of the service account is read again for each request: it is replaced every hour. A request that is
//     refused with 401 is repeated when there is another token by now.
//   - The authorities of ca.crt are followed as they change.
//   - A request that is told to wait (429 with Retry-After, which a server sends before it has done anything) waits
//     and is repeated, within the time of the call.
//   - Each call has an end, and so has each watch, whatever the server says. A connection that is dead is noticed by pings.
//   - Answers are bounded: ErrTooLarge is the error of one that is larger, instead of half an object.
//
// Nothing else is repeated. A write whose answer was lost may have been made; its condition on the resourceVersion tells
// whoever tries again.
//
// # Errors
//
// Answers that are no success are a *StatusError. Those that callers have to tell apart are ErrNotFound, ErrConflict,
// ErrUnauthorized, ErrExpired and ErrThrottled by errors.Is.
package kube

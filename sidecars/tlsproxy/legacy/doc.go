// Package legacy is an application as they were once written, for sidecars to be
// shown with. Nobody is going to change it, so that what it lacks must come from
// beside it:
//
//   - It speaks plain HTTP, on loopback alone. A tlsproxy gives it HTTPS.
//   - It reads its configuration at start and on SIGHUP, and at no other time. A
//     configsync brings the file and sends the signal.
//   - It writes an access log in Apache's combined format and its own log as glog
//     does, into files. A lognorm makes one format of them.
//
// That it answers probes and is configured by the environment like the rest of
// the fleet is the only modern thing about it.
package legacy

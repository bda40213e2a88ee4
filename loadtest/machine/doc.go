// Package machine knows the machine that an experiment ran on and what its
// processes cost.
//
// Numbers without their machine say nothing, so Describe goes into every result.
// CPU is read from /proc/<pid>/stat: user and system time of the process, of its
// living descendants, and of the children that they have already waited for. It
// needs no cgroup and no privilege, and counts in ticks of 10 ms: compare seconds
// with it, not milliseconds.
//
// A process is pinned by starting it from a thread that is pinned, so that it
// never runs elsewhere and a Go program sees one CPU (GOMAXPROCS).
//
// Other systems than Linux can describe themselves and start processes; asked for
// the rest they answer ErrUnsupported.
package machine

import "errors"

// ErrUnsupported is the answer where the system does not tell.
var ErrUnsupported = errors.New("only Linux tells this (/proc, sched_setaffinity)")

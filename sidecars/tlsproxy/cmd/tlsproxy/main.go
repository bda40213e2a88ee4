// Command tlsproxy puts HTTPS in front of an application that speaks plain HTTP
// on loopback.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/tlsproxy"
)

func main() { process.Main(tlsproxy.Program, tlsproxy.Run) }

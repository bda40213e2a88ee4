// Package wiring holds the three ways to run the fleet together: the table of
// the local runner, docker-compose.yml, and what kustomize makes of every
// overlay. Each is read into the same model, a Fleet of Processes, and compared
// with what every program says of itself by --help=json, and with the others.
//
//	go test ./infra/wiring               # do they agree?
//	go generate ./infra/wiring           # write the stages of the Dockerfile
//
// A disagreement is a Finding: which wiring, which process, what is, and what
// would be right. The rules are in the files rules_*.go, one concern each:
//
//	processes   the same processes in all wirings
//	variables   only ones that the program knows, required ones set, values of
//	            the right type, the same ones in all wirings
//	ports       names and numbers of listeners, and of the upstreams that point
//	            to them
//	probes      live and ready on the administration port
//	drain       delays and grace periods that add up
//	hardening   limits and security context of every container
//	network     what the policies of the cluster let through is what is called
//
// Beside these, README.md of each program is compared with its parameters, and
// what a program says of itself with what it promised (api/<program>.json).
//
// Nothing is started: reading the wirings needs Go alone, no engine, no cluster.
package wiring

//go:generate go run ./cmd/images -root ../..

// Package rig puts up what an experiment measures: built programs as real
// processes with their environment, an origin that behaves as told, certificates,
// and the whole local fleet.
//
// A Rig owns everything it started and ends it in Close, in reverse order, after
// failures too. All of it listens on loopback, on ports that were free.
package rig

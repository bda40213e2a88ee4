// Package target keeps the addresses that one source named, knows which of them
// are alive, and which one gets the next connection: the first one that is alive.
// All connections of an application go to one database, unlike those to replicas
// of a stateless service, because what is written must be read again.
//
// # Health
//
// Each address is checked every Interval, as its protocol allows. Down failed
// checks in a row take it out, Up good ones bring it back. A connection of the
// application that is refused takes it out at once, one that gets no answer
// counts as a failed check; one that succeeds stands for a check, so that a busy
// database is not asked beside its work. An address that was not checked yet is
// tried: the move to a new database waits for nothing.
//
// # Change
//
// When another address becomes the active one, Pool.Changed is called. Links of
// the former one are to drain; see Link.
package target

// Package osb asks a service broker for an instance of a service, by the Open
// Service Broker API, version 2.17.
//
// The identifiers of instance and binding are derived from a name that stays:
// whatever is lost on the way – an answer, a connection, this process – the next
// try asks for the same instance, and gets it. That is also how what may have been
// half made is dealt with: it is not deleted but asked for again.
package osb

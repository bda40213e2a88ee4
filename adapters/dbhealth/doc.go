// Package dbhealth is an adapter that gives a database the two questions which an
// orchestrator asks of every container: are you alive, and are you ready?
//
// Ready means that a representative query, over a new connection, is answered in
// time and with what is expected. Alive means much less: that the database says
// anything at all. A restart is the most expensive thing that can be done to a
// database, so that overload, too many connections, a full disk or a wrong password
// must not bring it about; only that it has said nothing for longer than it may.
//
//	GET /database/livez   200 or 503: the livenessProbe of the database's container
//	GET /database/readyz  200 or 503: its readinessProbe
//	GET /v1/health        the same with all that is known
//
// /livez and /readyz of the administration listener are about dbhealth itself, which
// is well when it can tell that its database is not.
//
// # One check at a time
//
// However many ask, the database sees one connection at a time. An answer is used
// for TTL. A check whose answer is late goes on in the background: the probes that
// wait for it are told that it is late, and from it is learnt whether the
// database speaks at all.
package dbhealth

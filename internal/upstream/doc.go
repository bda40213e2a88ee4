// Package upstream knows the endpoints of an upstream service, which of them
// can be used, and which one gets the next request. It speaks no protocol of
// its own (but for health checks): net/http, fasthttp and raw TCP clients use
// the same Pool.
//
// # Where the endpoints are
//
// An Address has one of three forms:
//
//	host:port[/adminport],…        a fixed list, of IP addresses or names
//	dns:name:port[/adminport]      all A and AAAA records of name, resolved again
//	                               every RESOLVE_INTERVAL
//	file:path                      a watched file, a line "name data-addr admin-addr"
//	                               each; # begins a comment
//
// An endpoint has a name in the third form; in the others its address is its
// name. The name is its place on the hash ring. A list that cannot be had or
// read (DNS gone, file missing, empty or garbage) changes nothing: the pool
// keeps the endpoints that it has, because their own health says more about
// them. Endpoints that stay keep their connections, counters and health.
// Endpoints that leave get no new request and drain: requests in flight end
// undisturbed, then Options.Close is called.
//
// # Who gets a request
//
// Pick with a key gives the endpoint that owns the key on a consistent hash
// ring of all members, healthy or not: an owner that is away for a moment gets
// its keys back. Meanwhile the next one on the ring stands in. Pick without a
// key follows the Policy. Both skip what the caller has tried already.
//
// # Who is usable
//
// Active: an endpoint with an administration address is asked GET /readyz every
// CHECK_INTERVAL. It gets no request before its first good answer; status 503
// (not ready, draining) takes it out at once, other failures after CHECK_DOWN
// of them; CHECK_UP good ones bring it back. An endpoint without one is used
// unseen.
//
// Passive: EJECT_AFTER failed requests in a row eject an endpoint for EJECT_BASE,
// twice that the next time, and so on to EJECT_MAX: this is the circuit breaker,
// per endpoint. It comes back on probation: one more failure ejects it again.
// At most EJECT_SHARE of the members (but always one) are ejected at a time, so
// that failures which are the request's fault cannot empty the pool; and if
// checks and ejections together leave nothing, ejections are ignored, because
// they are a guess where a check is a statement.
//
// When nothing is usable, Pick fails at once with ErrNoUpstream and a text that
// says what is known. Waiting is the caller's choice: see Pool.Wait.
package upstream

package rfc9111

// Reason says why a response is not stored; [Store] means that it is.
type Reason uint8

// The closed set of reasons.
const (
	Store           Reason = iota
	NotGet                 // only responses to GET are stored
	NotFinal               // 1xx
	NotUnderstood          // a status that this cache gives no meaning to: must-understand, 206, 304
	NoStoreResponse        // Cache-Control: no-store in the response
	NoStoreRequest         // Cache-Control: no-store in the request
	PrivateResponse        // Cache-Control: private
	Authorized             // answers a request with Authorization, and is not marked shareable
	SetsCookie             // carries Set-Cookie
	VariesOnAll            // Vary: *
	NoLifetime             // nothing explicit, and no heuristic applies
)

// OfRequest reports whether the reason lies in this one request, so that the next request for the same
// resource may well be answered by something storable: no hit-for-miss then.
func (r Reason) OfRequest() bool {
	return r == NotGet || r == NoStoreRequest || r == Authorized
}

// Storable is RFC 9111 3 for a shared cache.
//
// Choices beyond the RFC: a response with Set-Cookie is not stored (RFC 9111 7.3 would allow it; handing
// one user's cookie to all is never wanted); a response that could never be used again, because it has
// neither a lifetime nor a validator nor a stale window, is not stored.
func Storable(method string, request Header, r Response, m *Meta) Reason {
	cc := &m.Directives
	switch {
	case method != "GET":
		return NotGet
	case r.Status < 200:
		return NotFinal
	case r.Status == 206 || r.Status == 304 || r.Header.Has("Content-Range"):
		return NotUnderstood
	case cc.MustUnderstand && !understood(r.Status):
		return NotUnderstood
	case cc.NoStore && !cc.MustUnderstand:
		return NoStoreResponse
	case cc.Private:
		return PrivateResponse
	case r.Header.Has("Set-Cookie"):
		return SetsCookie
	case variesOnAll(r.Header):
		return VariesOnAll
	}
	if RequestDirectives(request).NoStore {
		return NoStoreRequest
	}
	if request.Has("Authorization") && !(cc.Public || cc.MustRevalidate || cc.SMaxAge.Present) {
		return Authorized
	}
	return lasting(r, m)
}

// lasting demands explicit freshness or a status that is heuristically cacheable (RFC 9111 3, last bullet).
func lasting(r Response, m *Meta) Reason {
	cc := &m.Directives
	explicit := cc.Public || cc.SMaxAge.Present || cc.MaxAge.Present || r.Header.Has("Expires")
	if !explicit && !heuristicStatus(r.Status) && (m.Heuristic || m.Lifetime <= 0) {
		return NoLifetime
	}
	usable := m.Lifetime > m.InitialAge || m.StaleRevalidate > 0 || m.StaleError > 0 || m.ETag != "" || m.LastModifiedOK
	if !usable {
		return NoLifetime
	}
	return Store
}

// heuristicStatus lists the statuses of RFC 9110 15.1 that are heuristically cacheable, without 206.
func heuristicStatus(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood lists the statuses whose caching behaviour this cache implements (for must-understand).
func understood(status int) bool {
	switch status {
	case 302, 303, 307, 400, 403, 500, 502, 503, 504:
		return true
	}
	return heuristicStatus(status)
}

// StoredHeader is what of a response's fields is kept: end-to-end ones, without those that private="…" or
// no-cache="…" name (they could not be sent without validation, so they are not kept at all), without Age
// (it is computed) and without Cache-Status of the request that filled the cache.
func StoredHeader(h Header, cc *Directives) Header {
	kept := EndToEnd(h)
	for _, name := range cc.PrivateFields {
		kept = kept.Del(name)
	}
	for _, name := range cc.NoCacheFields {
		kept = kept.Del(name)
	}
	kept = kept.Del("Age")
	return kept.Del("Cache-Status")
}

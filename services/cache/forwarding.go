package cache

import (
	"net/netip"

	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// spoofable are the fields that only a trusted proxy may set.
var spoofable = [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "Forwarded"}

// forward rewrites the forwarding fields of a request that goes upstream. A trusted peer's are kept and
// the peer is added to X-Forwarded-For; anybody else's are replaced by what we see ourselves.
func forward(t forwarded.Trusted, h rfc9111.Header, peer netip.Addr, host string, tls bool) rfc9111.Header {
	peer = peer.Unmap()
	proto := "http"
	if tls {
		proto = "https"
	}
	if t.Trusts(peer) {
		list := h.Joined("X-Forwarded-For")
		if list != "" {
			list += ", "
		}
		h = h.Set("X-Forwarded-For", list+peer.String())
		if !h.Has("X-Forwarded-Proto") {
			h = append(h, rfc9111.Field{Name: "X-Forwarded-Proto", Value: proto})
		}
		if !h.Has("X-Forwarded-Host") {
			h = append(h, rfc9111.Field{Name: "X-Forwarded-Host", Value: host})
		}
		return h
	}
	for _, name := range spoofable {
		h = h.Del(name)
	}
	return append(h, rfc9111.Field{Name: "X-Forwarded-For", Value: peer.String()},
		rfc9111.Field{Name: "X-Forwarded-Proto", Value: proto}, rfc9111.Field{Name: "X-Forwarded-Host", Value: host})
}

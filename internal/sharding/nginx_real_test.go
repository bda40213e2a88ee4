package sharding

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// TestRealNginxPlacesTheSame asks a real nginx with "hash $request_uri consistent" which
// server it chooses: with equal weights, with different ones, and with one server down.
func TestRealNginxPlacesTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range realserver.Placements() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, names := realserver.NginxShards(t, "placement is NOT compared with it here", c.Weights, c.Down)
			servers := make([]Server, len(names))
			for i, name := range names {
				servers[i] = Server{name, c.Weights[i]}
			}
			o := ordered(t, "nginx", servers)
			there := func(i int) bool { return i != c.Down }
			uris := realserver.URIs()
			differences := 0
			for i, theirs := range realserver.Served(t, addr, uris) {
				if ours := o.First(CRC32([]byte(uris[i])), there); servers[ours].Name != theirs {
					differences++
				}
			}
			if t.Logf("%d URIs, %d differences", len(uris), differences); differences != 0 {
				t.Errorf("%d of %d lie elsewhere", differences, len(uris))
			}
		})
	}
}

package shardproxy

import (
	"fmt"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// TestTheProxyPlacesAsARealNginx asks both, end to end, for 10,000 URIs: with equal
// weights, with different ones, and with one server down. The shards of the proxy are the
// servers that nginx has before it, and every one of them answers with its name.
func TestTheProxyPlacesAsARealNginx(t *testing.T) {
	t.Parallel()
	for name, c := range realserver.Placements() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, servers := realserver.NginxShards(t, "placement is NOT compared with it here", c.Weights, c.Down)
			text := ""
			for i, server := range servers {
				replicas := server
				if i == c.Down {
					replicas = nettest.Refuse(t)
				}
				text += fmt.Sprintf("- {name: %q, weight: %d, replicas: %q}\n", server, c.Weights[i], replicas)
			}
			w := start(t, text, nil)
			uris := realserver.URIs()
			ours, theirs := realserver.Served(t, w.Data, uris), realserver.Served(t, addr, uris)
			differences := 0
			for i := range uris {
				if ours[i] == "" || ours[i] != theirs[i] {
					differences++
				}
			}
			if t.Logf("%d URIs, %d differences", len(uris), differences); differences != 0 {
				t.Errorf("%d of %d lie elsewhere", differences, len(uris))
			}
		})
	}
}

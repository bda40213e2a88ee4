package ports_test

import (
	"testing"

	"github.com/flotilla-dev/flotilla/internal/ports"
)

func TestNoTwoProgramsShareAPort(t *testing.T) {
	owner := map[int]string{ports.EdgeHTTP: "edge's redirects"}
	for name, pair := range ports.All() {
		for _, port := range []int{pair.Data, pair.Admin} {
			if other, taken := owner[port]; taken {
				t.Errorf("port %d belongs to %s and to %s", port, other, name)
			}
			owner[port] = name
		}
	}
}

package upstream

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkPick(b *testing.B) {
	_, h := Default()
	for _, n := range []int{3, 30} {
		var addrs []string
		for i := range n {
			addrs = append(addrs, fmt.Sprintf("10.0.0.%d:80", i))
		}
		for _, c := range []struct {
			name, key string
			policy    Policy
		}{
			{"round-robin", "", RoundRobin},
			{"least-requests", "", LeastRequests},
			{"hash", "0190b2c0-7e3a-7c3e-9a53-0242ac120002", LeastRequests},
		} {
			p := static(b, Options{Policy: c.policy, Health: h}, addrs...)
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					e, _ := p.Pick(c.key, nil)
					e.Release()
				}
			})
		}
	}
}

func BenchmarkPickReportReleaseParallel(b *testing.B) {
	_, h := Default()
	p := static(b, Options{Health: h}, "a:1", "b:1", "c:1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var tried Tried
			e, _ := p.Pick("", &tried)
			e.Done(OK, time.Millisecond)
		}
	})
}

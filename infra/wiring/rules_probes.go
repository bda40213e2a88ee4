package wiring

// checkProbes: live and ready are asked on the administration port; in a
// container without Kubernetes the program asks itself.
func checkProbes(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		if p.OneShot || p.Optional {
			return
		}
		_, ours := catalogue[p.Program]
		switch {
		case !ours:
			if p.Probes.Ready == "" {
				f.add("a command or a port that tells", "nothing asks whether it is ready")
			}
		case p.Cluster != nil:
			probe(f, "liveness", p.Probes.Live, "admin/livez")
			probe(f, "readiness", p.Probes.Ready, "admin/readyz")
			if p.Probes.Startup != "" {
				probe(f, "startup", p.Probes.Startup, "admin/livez")
			}
		case p.Security != nil:
			probe(f, "health", p.Probes.Ready, "/"+p.Program+" --healthcheck")
		default:
			probe(f, "readiness", p.Probes.Ready, "admin/readyz")
		}
	})
}

func probe(f *findings, kind, is, right string) {
	if is != right {
		f.add(right, "its %s probe is %q", kind, is)
	}
}

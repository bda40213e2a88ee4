package wiring

import (
	"slices"
	"strings"
)

// checkNetwork: what is called is let through, and nothing else is.
func checkNetwork(fleet Fleet) []Finding {
	if fleet.Allowed == nil {
		return nil
	}
	var all []Finding
	calls := fleet.calls()
	for _, c := range calls {
		if !slices.Contains(fleet.Allowed, c) {
			all = append(all, Finding{fleet.Wiring, c.From, "its network does not let " + c.String() + " through", "allow it, or do not call"})
		}
	}
	for _, a := range fleet.Allowed {
		if optional(fleet, a) || slices.ContainsFunc(calls, func(c Call) bool { return same(fleet, a, c) }) {
			continue
		}
		all = append(all, Finding{fleet.Wiring, a.From, "its network lets " + a.String() + " through, which nobody calls", "refuse it"})
	}
	return all
}

// same tells whether what is allowed is what is called, as far as the wiring can
// tell calls apart.
func same(fleet Fleet, allowed, called Call) bool {
	if !fleet.ByNetwork {
		return allowed == called
	}
	return allowed.From == called.From && allowed.To == called.To || allowed.From == called.To && allowed.To == called.From
}

// optional: what is started on demand, to load the fleet, names its target in
// its own way.
func optional(fleet Fleet, c Call) bool {
	from, _ := fleet.Find(c.From)
	to, _ := fleet.Find(c.To)
	return from.Optional || to.Optional
}

// waits tells whether a process waits for one in the pod of host, or is in it
// itself.
func waits(fleet Fleet, p Process, host string) bool {
	if slices.Contains(p.Waits, host) {
		return true
	}
	return slices.ContainsFunc(fleet.Pod(host), func(other Process) bool {
		back := slices.Contains(other.Waits, p.Name) || slices.Contains(other.Waits, p.pod()) // who is waited for cannot wait
		return back || other.pod() == p.pod() || slices.Contains(p.Waits, other.Name) || slices.Contains(p.Waits, other.pod())
	})
}

// unawaited are the variables that name somebody whom a process does not wait for, and why.
var unawaited = map[string]string{
	"EDGE_UPSTREAM_SEARCH": "the edge's routes call it optional: the dictionary is served whether there is a search or not",
}

// checkWaits: where the start is gated, a process waits for those it calls.
func checkWaits(fleet Fleet) []Finding {
	gated := slices.ContainsFunc(fleet.Processes, func(p Process) bool { return len(p.Waits) > 0 })
	if !gated {
		return nil
	}
	return each(fleet, func(p Process, f *findings) {
		for _, t := range p.targets() {
			if _, may := unawaited[t.variable]; may {
				continue
			}
			if t.host != p.Name && !waits(fleet, p, t.host) {
				f.add("wait until it is healthy", "it calls %s (%s) and waits for %s only", t.host, t.variable, strings.Join(p.Waits, ", "))
			}
		}
	})
}

package wiring

import (
	"slices"
	"strconv"
)

// checkHardening: every container has limits, and nothing that it does not need.
func checkHardening(fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		s := p.Security
		if s == nil {
			return
		}
		for _, one := range []struct {
			ok        bool
			is, right string
		}{
			{s.MemoryLimit, "its memory has no limit", "a limit"},
			{s.CPULimit, "its CPU has no limit", "a limit"},
			{s.ReadOnlyRoot, "its root file system can be written", "read-only"},
			{s.NonRoot, "it may run as root", "a user other than 0"},
			{s.NoEscalation, "it may gain privileges", "no new privileges"},
			{s.DropsAll, "it keeps capabilities", "drop ALL"},
			{s.SeccompDefault, "it has no seccomp profile", "the runtime's default"},
			{s.NoServiceLinks, "Service variables are injected", "enableServiceLinks: false"},
			{s.NoAPIAccount || p.OneShot, "a token of the API server is mounted", "automountServiceAccountToken: false"},
		} {
			if !one.ok {
				f.add(one.right, "%s", one.is)
			}
		}
	})
}

// checkCluster: what several replicas need in Kubernetes.
func checkCluster(fleet Fleet) []Finding {
	called := map[string]bool{}
	for _, c := range fleet.calls() {
		called[c.To] = true
	}
	return each(fleet, func(p Process, f *findings) {
		if p.Cluster == nil || p.OneShot || p.Pod != "" { // the rules are for pods
			return
		}
		if p.Replicas > 1 && !p.Cluster.Budget {
			f.add("a PodDisruptionBudget", "nothing keeps a drain of nodes from taking all replicas")
		}
		if p.Replicas > 1 && !p.Cluster.Spread {
			f.add("topologySpreadConstraints", "its replicas may all be on one node")
		}
		if p.Program != "" && !p.Cluster.Surge {
			f.add("maxUnavailable: 0", "a roll-out takes a replica away before a new one is ready")
		}
		if called[p.Name] {
			checkService(p, f)
		}
		checkTargetPorts(fleet.Pod(p.Name), p, f)
	})
}

// checkTargetPorts: what a Service leads to is there, under the same name. In a
// pod of several containers names would be ambiguous; there it is the number.
func checkTargetPorts(pod []Process, p Process, f *findings) {
	if p.Cluster.Service == nil {
		return
	}
	for i, port := range p.Cluster.Service.Ports {
		leads := p.Cluster.Service.Targets[i]
		if len(pod) > 1 {
			if !slices.ContainsFunc(pod, func(member Process) bool { return member.listens(leads, port.Protocol) }) {
				f.add("the number of a port of its containers", "the port %s of its Service leads to %q", port, leads)
			}
			continue
		}
		if leads != port.Name || !slices.ContainsFunc(p.Ports, func(own Port) bool { return own.Name == leads && own.Protocol == port.Protocol }) {
			f.add("the same name for both, one of "+names(p.Ports, Port.String), "the port %s of its Service leads to %q", port, leads)
		}
	}
}

// listens tells whether a process has a port of that number.
func (p Process) listens(number, protocol string) bool {
	return slices.ContainsFunc(p.Ports, func(own Port) bool { return strconv.Itoa(own.Number) == number && own.Protocol == protocol })
}

func checkService(p Process, f *findings) {
	s := p.Cluster.Service
	if s == nil {
		f.add("a Service "+p.Name, "others call it, but there is no Service of its name")
		return
	}
	if !s.Headless && p.Program != "" {
		f.add("clusterIP: None: pools balance themselves", "its Service hides the replicas behind one address")
	}
	if s.NotReady {
		f.add("publishNotReadyAddresses: false", "its Service names replicas that are not ready")
	}
}

package wiring

import (
	"slices"
	"strconv"
)

// networkPolicy is a NetworkPolicy as ours are: peers by the labels of their
// pods, in the same namespace.
type networkPolicy struct {
	object `yaml:",inline"`
	Spec   struct {
		PodSelector selector   `yaml:"podSelector"`
		Types       []string   `yaml:"policyTypes"`
		Ingress     []peerRule `yaml:"ingress"`
		Egress      []peerRule `yaml:"egress"`
	}
}

type peerRule struct {
	From, To []peer
	Ports    []struct{ Protocol, Port string }
}

type peer struct {
	PodSelector       *selector `yaml:"podSelector"`
	NamespaceSelector *selector `yaml:"namespaceSelector"`
}

// allowed are the connections between processes that both ends may have.
func (m manifests) allowed(fleet Fleet) []Call {
	calls := []Call{}
	for _, from := range fleet.Processes {
		for _, to := range fleet.Processes {
			if from.pod() == to.pod() {
				continue
			}
			for _, port := range to.Ports {
				call := Call{from.pod(), to.pod(), port.Number, port.Protocol}
				if !slices.Contains(calls, call) && m.through("Egress", from, to, port) && m.through("Ingress", to, from, port) {
					calls = append(calls, call)
				}
			}
		}
	}
	return calls
}

// through tells whether the policies of a process let a connection to (Egress)
// or from (Ingress) another through, to that port of whoever is called.
func (m manifests) through(direction string, own, other Process, port Port) bool {
	restricted := false
	for _, p := range m.policies {
		if !slices.Contains(p.Spec.Types, direction) || !p.Spec.PodSelector.matches(labels(own)) {
			continue
		}
		restricted = true
		rules := p.Spec.Ingress
		if direction == "Egress" {
			rules = p.Spec.Egress
		}
		if slices.ContainsFunc(rules, func(r peerRule) bool { return r.covers(other, port) }) {
			return true
		}
	}
	return !restricted
}

func (r peerRule) covers(other Process, port Port) bool {
	peers := slices.Concat(r.From, r.To)
	if len(peers) > 0 && !slices.ContainsFunc(peers, func(p peer) bool {
		return p.NamespaceSelector == nil && p.PodSelector != nil && p.PodSelector.matches(labels(other))
	}) {
		return false
	}
	for _, p := range r.Ports {
		if orTCP(p.Protocol) == port.Protocol && (p.Port == port.Name || p.Port == strconv.Itoa(port.Number)) {
			return true
		}
	}
	return len(r.Ports) == 0
}

// labels by which the policies know a process.
func labels(p Process) map[string]string {
	return map[string]string{"app.kubernetes.io/name": p.pod()}
}

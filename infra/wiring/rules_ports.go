package wiring

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// listeners are the ports on which a process really listens: the program's own,
// unless it is told otherwise.
func listeners(program Program, p Process) []Port {
	told := map[string]string{"data": "LISTEN_ADDR", "admin": "ADMIN_ADDR"}
	var all []Port
	for _, own := range program.Ports {
		one := Port{own.Name, own.Number, own.Protocol}
		if _, port, err := net.SplitHostPort(p.Env[told[own.Name]]); err == nil {
			one.Number = number(port)
		}
		all = append(all, one)
	}
	return all
}

// checkPorts: a container names all listeners of its program, and no others.
func checkPorts(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		program, ours := catalogue[p.Program]
		if !ours || p.Security == nil {
			return
		}
		want := listeners(program, p)
		for _, port := range p.Ports {
			if !slices.Contains(want, port) {
				f.add("one of "+names(want, Port.String), "it names the port %s", port)
			}
		}
		for _, port := range want {
			if !slices.Contains(p.Ports, port) {
				f.add("name it: "+port.String(), "its listener %s is not among its ports", port.Name)
			}
		}
	})
}

// checkTargets: an address leads to a process of the fleet, and to its ports.
func checkTargets(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		for _, t := range p.targets() {
			pod := fleet.Pod(t.host)
			if len(pod) == 0 {
				f.add("one of "+strings.Join(processNames(fleet.serving()), ", "), "%s leads to %q, which is no process", t.variable, t.host)
				continue
			}
			if t.file {
				continue
			}
			var ports []Port
			for _, other := range pod {
				if program, ours := catalogue[other.Program]; ours {
					ports = append(ports, listeners(program, other)...)
				} else {
					ports = append(ports, other.Ports...)
				}
			}
			checkTarget(t, ports, f)
		}
	})
}

func checkTarget(t target, ports []Port, f *findings) {
	for name, number := range map[string]int{"data": t.port, "admin": t.admin} {
		var right []string
		for _, p := range ports {
			if p.Name == name {
				right = append(right, fmt.Sprint(p.Number))
			}
		}
		if number == 0 || slices.Contains(right, fmt.Sprint(number)) {
			continue
		}
		if len(right) == 0 {
			right = []string{"no such port"}
		}
		f.add(strings.Join(right, " or "), "%s goes to port %d as the %s port of %s", t.variable, number, name, t.host)
	}
}

// comparePorts: the same names; among containers the same numbers.
func comparePorts(reference, other Fleet) []Finding {
	return each(other, func(p Process, f *findings) {
		same, found := reference.Find(p.Name)
		if !found || p.OneShot || p.Program != same.Program { // an embedded backend has ports that the real one has not
			return
		}
		show := func(port Port) string { return port.Name }
		if p.Security != nil && same.Security != nil {
			show = Port.String
		}
		if is, want := names(p.Ports, show), names(same.Ports, show); is != want {
			f.add(want+", as in "+reference.Wiring, "its ports are %s", is)
		}
	})
}

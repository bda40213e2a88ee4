package wiring

import (
	"maps"
	"slices"
	"strings"
)

// Check applies every rule to every fleet, and compares each with the first,
// which is the reference.
func Check(catalogue Catalogue, fleets ...Fleet) []Finding {
	var all []Finding
	for _, fleet := range fleets {
		all = append(all, checkVariables(catalogue, fleet)...)
		all = append(all, checkTargets(catalogue, fleet)...)
		all = append(all, checkPorts(catalogue, fleet)...)
		all = append(all, checkProbes(catalogue, fleet)...)
		all = append(all, checkDrain(catalogue, fleet)...)
		all = append(all, checkHardening(fleet)...)
		all = append(all, checkCluster(fleet)...)
		all = append(all, checkNetwork(fleet)...)
		all = append(all, checkWaits(fleet)...)
		all = append(all, checkMembers(fleet)...)
		all = append(all, checkData(catalogue, fleet)...)
	}
	for i := 1; i < len(fleets); i++ {
		all = append(all, compareProcesses(fleets[0], fleets[i])...)
		all = append(all, compareReplicas(fleets[0], fleets[i])...)
		all = append(all, compareVariables(catalogue, fleets[0], fleets[i])...)
		all = append(all, comparePorts(fleets[0], fleets[i])...)
		all = append(all, compareFiles(fleets[0], fleets[i])...)
	}
	return all
}

// compareProcesses: both start the same processes. What does its work once may
// be missing: certificates come from elsewhere in production.
func compareProcesses(reference, other Fleet) []Finding {
	var all []Finding
	want := processNames(reference.serving())
	for _, p := range other.serving() {
		if !slices.Contains(want, p.Name) {
			all = append(all, Finding{other.Wiring, p.Name, "it is no process of " + reference.Wiring, "one of " + strings.Join(want, ", ")})
			continue
		}
		same, _ := reference.Find(p.Name)
		if same.pod() != p.pod() {
			all = append(all, Finding{other.Wiring, p.Name, "it is in the pod " + p.pod(), same.pod() + ", as in " + reference.Wiring})
		}
		if same.Program != p.Program && same.Program != "" && p.Program != "" {
			all = append(all, Finding{other.Wiring, p.Name, "it runs " + p.Program, same.Program + ", as in " + reference.Wiring})
		}
	}
	have := processNames(other.serving())
	for _, name := range want {
		if !slices.Contains(have, name) {
			all = append(all, Finding{other.Wiring, name, "the process is missing", "a process " + name + ", as in " + reference.Wiring})
		}
	}
	return all
}

func processNames(processes []Process) []string {
	set := map[string]bool{}
	for _, p := range processes {
		set[p.Name] = true
	}
	return slices.Sorted(maps.Keys(set))
}

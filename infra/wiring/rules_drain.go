package wiring

import (
	"time"
)

// namesAge is how old an answer of a cluster's DNS may be: its records live 30
// seconds in kubeadm clusters and in most managed ones.
const namesAge = 30 * time.Second

// checkDrain: a replica that leaves waits until all its callers have noticed,
// and is given the time that this takes; a new one is known to them before an
// old one leaves.
func checkDrain(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		program, ours := catalogue[p.Program]
		if !ours || p.OneShot {
			return
		}
		delay, timeout := wait(program, p, "DRAIN_DELAY"), wait(program, p, "DRAIN_TIMEOUT")
		// The local runner makes the grace period out of the two.
		if p.Security != nil && p.Grace <= delay+timeout {
			f.add("more than DRAIN_DELAY + DRAIN_TIMEOUT = "+(delay+timeout).String(), "it is killed %s after it is asked to stop", p.Grace)
		}
		for _, caller := range fleet.Processes {
			checkCaller(catalogue, caller, p, delay, f)
		}
	})
}

func checkCaller(catalogue Catalogue, caller, p Process, delay time.Duration, f *findings) {
	program, ours := catalogue[caller.Program]
	if !ours {
		return
	}
	for _, t := range caller.targets() {
		if t.host != p.Name && t.host != p.pod() || !t.dns && t.admin == 0 { // a single address is no pool: there is nowhere to move to
			continue
		}
		check, resolve := wait(program, caller, "CHECK_INTERVAL"), wait(program, caller, "RESOLVE_INTERVAL")
		if need := 2*check + resolve; delay < need {
			f.add("at least 2 × CHECK_INTERVAL + RESOLVE_INTERVAL of "+caller.Name+" = "+need.String(), "its DRAIN_DELAY is %s", delay)
		}
		if p.Cluster != nil && t.dns && p.Hold < namesAge+resolve {
			f.add("at least "+(namesAge+resolve).String()+": only then have all callers learnt of the new one by DNS ("+t.variable+" of "+caller.Name+")",
				"a new replica is ready for %s before an old one goes", p.Hold)
		}
	}
}

// wait is a duration with which a process works; 0 for a parameter it has not.
func wait(program Program, p Process, name string) time.Duration {
	d, err := time.ParseDuration(program.value(p.Env, name))
	if err != nil {
		return 0 // a wrong value is a finding of checkVariables
	}
	return d
}

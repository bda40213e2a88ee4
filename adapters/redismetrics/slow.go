package redismetrics

// slow tells of the slow log and of latency spikes.
func (s *sink) slow(a *answers) {
	if a.slowLength != nil {
		s.gauge("slowlog_length", float64(*a.slowLength))
		s.lastEntry(a.slowest)
	}
	for _, one := range a.latest { // event, time, latest, maximum, in milliseconds
		event, ok := one.([]any)
		if !ok || len(event) < 3 {
			continue
		}
		at, known := whole(event[1])
		took, told := whole(event[2])
		if known && told {
			s.gauge("latency_spike_last", float64(at), word(event[0]))
			s.gauge("latency_spike_duration_seconds", float64(took)/1000, word(event[0]))
		}
	}
}

// lastEntry is the newest one: number, time, microseconds, …; zeros when the
// log is empty.
func (s *sink) lastEntry(entries []any) {
	var id, took int64
	if len(entries) > 0 {
		if e, ok := entries[0].([]any); ok && len(e) >= 3 {
			id, _ = whole(e[0])
			took, _ = whole(e[2])
		}
	}
	s.gauge("slowlog_last_id", float64(id))
	s.gauge("last_slow_execution_duration_seconds", float64(took)*microseconds)
}

package decide

import "time"

// Policy is what is decided by.
type Policy struct {
	Hot  float64 // ratio from which a group gets more replicas
	Cool float64 // ratio that more replicas aim at, and that one replica less must keep
	Part float64 // ratio of a group from which a guest goes home
	Cold float64 // ratio up to which two shards may share replicas

	Floor     float64       // the level is at least this: requests per second that are nothing to a replica
	Late      float64       // a 99th percentile of this many times the others' is late
	LateFloor time.Duration // and below this it is not, whatever the others have

	HotLooks  int           // looks in a row before something is added
	ColdLooks int           // looks in a row before something is taken away
	GrowRest  time.Duration // after any change, before something is added
	CoolRest  time.Duration // after any change, before something is taken away

	Step   int  // most replicas added at once
	Budget int  // most replicas of all shards together
	Idle   int  // replicas of a home that serves nobody
	Share  bool // two cold shards may share replicas
}

// warm is the ratio from which a latency counts: halfway up, so that the replica which it adds is not
// taken away again by the ratio.
func (p Policy) warm() float64 { return (p.Cool + p.Hot) / 2 }

// A Shard is what is known of a shard at a look.
type Shard struct {
	Name string
	Host string        // the shard whose replicas serve it; its own name at home
	Rate float64       // requests per second
	P99  time.Duration // 0: there was no request

	Min, Max int // bounds of the replicas of its home
	Want     int // replicas of its home that the orchestrator was told
	Ready    int // replicas of its home that there are

	// down says that its load says nothing: whoever serves it has no replica that is ready, or had none within the window
	// over which loads are measured. The judge knows.
	down bool

	// Unsettled says that its last move is not through: a proxy still sends to its replicas from before.
	Unsettled bool
}

// A World is what is, at a look.
type World struct {
	At     time.Time
	Window time.Duration // over which rates and latencies were measured
	Shards []Shard       // in a fixed order, with distinct names; every host is one of them
	Busy   string        // what is being changed right now, "" for nothing
}

// Replicas is how many there are of all shards together, as they were ordered.
func (w World) Replicas() int {
	n := 0
	for _, s := range w.Shards {
		n += s.Want
	}
	return n
}

func (w World) shard(name string) *Shard {
	for i := range w.Shards {
		if w.Shards[i].Name == name {
			return &w.Shards[i]
		}
	}
	return nil
}

package sharding

// jump computes a slot from the hash and the number of slots alone: a slot that joins at
// the end takes its share from all others, and nothing else moves. A server that leaves
// from the middle of the list renumbers those after it: give it weight 0 only at the end,
// or say that it is gone, which moves its keys alone.
type jump []uint16

func newJump(servers []Server) Order { return jump(slots(servers)) }

// rehashes are how often a key whose server is gone is thrown again, before the first
// server that is there takes it.
const rehashes = 64

func (j jump) First(hash uint64, ok func(int) bool) int {
	if len(j) == 0 {
		return -1
	}
	hash = mix(hash) // the function wants all 64 bits
	if ok == nil {
		return int(j[slot(hash, len(j))])
	}
	for range rehashes {
		if server := int(j[slot(hash, len(j))]); ok(server) {
			return server
		}
		hash = mix(hash)
	}
	return walk(0, len(j), func(at int) int { return int(j[at]) }, ok)
}

// slot is the function of the paper: it jumps to the next number of slots at which the
// key would move, until that is too large.
func slot(hash uint64, n int) int64 {
	at, next := int64(-1), int64(0)
	for next < int64(n) {
		at = next
		hash = hash*2862933555777941757 + 1
		next = int64(float64(at+1) * (float64(1<<31) / float64(hash>>33+1)))
	}
	return at
}

package sharding

// modulo is the remainder of the hash.
type modulo []uint16

func newModulo(servers []Server) Order { return modulo(slots(servers)) }

func (m modulo) First(hash uint64, ok func(int) bool) int {
	if len(m) == 0 {
		return -1
	}
	at := int(hash % uint64(len(m)))
	if ok == nil {
		return int(m[at])
	}
	return walk(at, len(m), func(at int) int { return int(m[at]) }, ok)
}

package command

// Kind is what is done with a command.
type Kind uint8

const (
	Keyed   Kind = iota // sent to the shard of its keys
	Values              // split; the answers are arrays, put together by key: MGET
	Status              // split; the answers are all OK: MSET
	Count               // split; the answers are numbers, added: DEL
	Any                 // sent to any shard
	Local               // answered without a shard
	Session             // changes the state of the session: MULTI, WATCH
	Script              // sent to all shards: SCRIPT LOAD
	Refused
)

// Spec describes a command.
type Spec struct {
	Name   string // in capitals
	Kind   Kind
	Write  bool   // a replica must not be asked
	Reason string // of a refused one: "it …"

	// Where its keys are: from argument first (the name is argument 0) to last,
	// negative ones from the end, every step.
	first, last, step int
	// For others, what finds them.
	find func(args [][]byte) (Keys, error)
}

// longest is the length of the longest name.
const longest = 24

// Find returns the command of a name in any case, or nil.
func Find(name []byte) *Spec {
	if len(name) > longest {
		return nil
	}
	var upper [longest]byte
	for i, c := range name {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	return table[string(upper[:len(name)])]
}

// Keys are the positions of keys among arguments: from First to Last, every
// Step, and Extra where it is not 0.
type Keys struct{ First, Last, Step, Extra int }

// Len is the number of keys.
func (k Keys) Len() int {
	n := 0
	if k.First > 0 && k.Last >= k.First {
		n = (k.Last-k.First)/k.Step + 1
	}
	if k.Extra > 0 {
		n++
	}
	return n
}

// Keys finds the keys of a command. An error is one of the client.
func (s *Spec) Keys(args [][]byte) (Keys, error) {
	if s.find != nil {
		return s.find(args)
	}
	last := s.last
	if last < 0 {
		last += len(args)
	}
	if s.first >= len(args) || last >= len(args) || last < s.first || (last-s.first+1)%s.step != 0 && s.last < 0 {
		return Keys{}, s.arity()
	}
	return Keys{First: s.first, Last: last, Step: s.step}, nil
}

package wire

import "bytes"

// Verb is what a command asks for, as far as it matters to a router.
type Verb uint8

const (
	Refused        Verb = iota // answered with Command.Refusal
	Retrieve                   // get, gets, gat, gats: any number of keys
	Store                      // set, add, replace, append, prepend, cas
	Change                     // delete, incr, decr, touch
	MetaGet                    // mg
	MetaStore                  // ms
	MetaDelete                 // md
	MetaArithmetic             // ma
	MetaDebug                  // me
	MetaNoop                   // mn: all before it is done
	FlushAll
	Version
	Verbosity
	Stats
	Quit
	Verbs = iota // how many there are
)

var names = [Verbs]string{
	"refused", "retrieve", "store", "change", "meta_get", "meta_store", "meta_delete", "meta_arithmetic", "meta_debug", "meta_noop",
	"flush_all", "version", "verbosity", "stats", "quit",
}

// String is a name for people and metrics.
func (v Verb) String() string { return names[v] }

// Command is a command of a client. Its slices are parts of the buffer of
// Commands, and are good until its next Fill.
type Command struct {
	Verb    Verb
	Name    []byte   // the first word
	Line    []byte   // what to send to the server of Key, with its end, without noreply and q
	Data    []byte   // and after it, of Store and MetaStore: the data block, with its end
	Key     []byte   // of a command with one key; what was given in base64 is decoded
	Word    []byte   // the key as it was given
	Keys    [][]byte // of Retrieve
	Head    []byte   // of Retrieve: what stands before the keys, with a space at its end
	Size    []byte   // of MetaStore: the length of the data block, as it was given
	Args    [][]byte // other words: of Store from the third one on, of meta commands the flags but q, of FlushAll and Stats all but noreply
	Flags   Letters  // the letters of the flags of a meta command
	Quiet   bool     // noreply, or q
	Refusal string   // of Refused
}

// Letters is a set of letters.
type Letters uint64

func (l Letters) with(c byte) Letters {
	if c < 'A' || c > 'z' {
		return l
	}
	return l | 1<<(c-'A')
}

// Has tells whether any of the letters is in the set.
func (l Letters) Has(letters string) bool {
	for i := range len(letters) {
		if l&(1<<(letters[i]-'A')) != 0 {
			return true
		}
	}
	return false
}

// Silent tells whether the client is not to see an answer. With noreply it sees
// none. With q it does not see what it expects: of mg that there is nothing, of
// the others that it was done. Errors of the meta protocol are always seen.
func (c *Command) Silent(answer []byte) bool { return c.Quiet && Silent(c.Verb, answer) }

// Silent is Command.Silent for a quiet command of which only the verb is left.
func Silent(verb Verb, answer []byte) bool {
	switch verb {
	case MetaGet:
		return bytes.HasPrefix(answer, []byte("EN"))
	case MetaStore, MetaDelete:
		return bytes.HasPrefix(answer, []byte("HD"))
	case MetaArithmetic:
		return bytes.HasPrefix(answer, []byte("HD")) || bytes.HasPrefix(answer, []byte("VA"))
	case MetaDebug, MetaNoop:
		return false
	}
	return true
}

package memcached

import (
	"encoding/base64"
	"time"
)

const (
	maxFlags  = 17 // words of a meta command after its name and key, as in memcached
	maxOpaque = 32 // bytes of an opaque word, with its letter
)

// flags are what a meta command asks for. Every command takes the flags of all,
// and does what it can with them, as in memcached.
type flags struct {
	words [][]byte // in the order in which they were given, which is that of the answer
	key   []byte   // decoded

	binary, value, quiet, noBump, invalidate bool
	vivify, newTTL, recache, hasCAS          bool
	mode                                     byte
	exptime, vivifyExptime                   time.Time
	recacheBefore                            time.Time
	clientFlags                              uint32
	cas, delta, initial                      uint64
}

// parseFlags reads the words after the key. The error is the answer to the client.
func parseFlags(key []byte, words [][]byte, now time.Time) (flags, string) {
	f := flags{words: words, key: key, delta: 1}
	var seen [128]bool
	flaw := ""
	for _, word := range words {
		letter := word[0]
		if letter >= 127 || seen[letter] {
			return f, "CLIENT_ERROR duplicate flag"
		}
		seen[letter] = true
		wrong, known := f.take(letter, word[1:], now)
		if !known {
			return f, "CLIENT_ERROR invalid flag"
		}
		if wrong != "" {
			flaw = wrong
		}
		if letter == 'O' && len(word) > maxOpaque && flaw == "" {
			flaw = "CLIENT_ERROR opaque token too long"
		}
	}
	return f, flaw
}

// take reads one flag: what is wrong with it, and whether there is such a flag.
func (f *flags) take(letter byte, token []byte, now time.Time) (wrong string, known bool) {
	switch letter {
	case 'O', 'P', 'L', 'k', 's', 't', 'c', 'f', 'l', 'h':
	case 'b':
		f.binary = true
		f.key, wrong = decoded(f.key)
	case 'v':
		f.value = true
	case 'u':
		f.noBump = true
	case 'q':
		f.quiet = true
	case 'I':
		f.invalidate = true
	case 'N':
		f.vivify = true
		f.vivifyExptime, wrong = timeToken(token, now)
	case 'T':
		f.newTTL = true
		f.exptime, wrong = timeToken(token, now)
	case 'R':
		f.recache = true
		f.recacheBefore, wrong = timeToken(token, now)
	case 'F':
		n, ok := parseUint(token, 32)
		f.clientFlags, wrong = uint32(n), unless(ok, badFormat)
	case 'C':
		var ok bool
		f.cas, ok = parseUint(token, 64)
		f.hasCAS, wrong = ok, unless(ok, badToken)
	case 'J', 'D':
		wrong = f.amount(letter, token)
	case 'M':
		if len(token) != 1 {
			return "CLIENT_ERROR incorrect length for M token", true
		}
		f.mode = token[0]
	default:
		return "", false
	}
	return wrong, true
}

const badToken = "CLIENT_ERROR bad token in command line format"

func unless(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}

func (f *flags) amount(letter byte, token []byte) string {
	n, ok := parseUint(token, 64)
	if letter == 'J' {
		f.initial = n
		return unless(ok, "CLIENT_ERROR invalid numeric initial value")
	}
	f.delta = n
	return unless(ok, "CLIENT_ERROR invalid numeric delta value")
}

func timeToken(token []byte, now time.Time) (time.Time, string) {
	n, ok := parseInt(token)
	return deadline(now, n), unless(ok, badToken)
}

// decoded is the key that a client gave in base64.
func decoded(key []byte) ([]byte, string) {
	raw, err := base64.StdEncoding.AppendDecode(nil, key)
	if err != nil || len(raw) == 0 {
		return key, "CLIENT_ERROR error decoding key"
	}
	return raw, ""
}

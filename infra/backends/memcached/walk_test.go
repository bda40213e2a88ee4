package memcached

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestARandomWalkIsAnsweredAsByTheRealServer says the same thousands of commands,
// many of them odd, to the embedded and to the real server, and compares every
// answer. CAS values are compared by what can be done with them. Left out are what
// memcached 1.6.18 gets wrong: numbers of 2^63 or more, the T of an ma that makes
// a number longer (it is lost), and the t after a T in the past.
func TestARandomWalkIsAnsweredAsByTheRealServer(t *testing.T) {
	real, embedded := dial(t, realServer(t)), dial(t, start(t, nil).data)
	seed := rand.Uint64()
	w := walk{Rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range 20000 {
		line := w.command()
		// A CAS value is the server's own: each is asked for its own.
		a, b := real.ask(w.own(real, line)), embedded.ask(w.own(embedded, line))
		if comparable, other := plain(a), plain(b); comparable != other {
			t.Fatalf("seed %d, command %d, %q: the real server answers %q, the embedded one %q", seed, i, line, comparable, other)
		}
	}
}

// own puts the CAS value of the command's key in place of the word CAS.
func (w *walk) own(p *peer, line string) string {
	if !strings.Contains(line, "CAS") {
		return line
	}
	value := "1000000000"
	answer := strings.Fields(p.ask("mg " + strings.Fields(line)[1] + " c u\r\n"))
	if len(answer) == 2 && answer[1][0] == 'c' {
		value = answer[1][1:]
	}
	return strings.ReplaceAll(line, "CAS", value)
}

var casValue = regexp.MustCompile(`(?m)(^VALUE \S+ \d+ \d+) \d+\r$|( [ct])[1-9]\d*`)

// plain leaves out what two servers may answer differently: CAS values, and the
// seconds left, which memcached counts by a clock that ticks once a second.
func plain(answer string) string { return casValue.ReplaceAllString(answer, "$1$2") }

type walk struct{ *rand.Rand }

func (w walk) of(words ...string) string { return words[w.IntN(len(words))] }
func (w walk) key() string               { return w.of("a", "b", "c", "d", "e") }
func (w walk) exptime() string {
	return w.of("0", "0", "100", "3000", "-1", "2592001", "2147483647", "x", "")
}

func (w walk) value() string {
	return w.of("", "0", "7", "99", "100", "9000000000000000000", "abc", "12 ", " 12", "x\r\ny", "1000000000000000000000", strings.Repeat("v", w.IntN(300)))
}

func (w walk) number() string {
	return w.of("1", "1", "10", "1000000", "0", "x", "-1", "+3", "99999999999999999999")
}

func (w walk) command() string {
	noreply := w.of("", "", "", " noreply")
	switch value := w.value(); w.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("%s %s %s %s %d%s\r\n%s\r\n", w.of("set", "set", "add", "replace", "append", "prepend"), w.key(),
			w.of("0", "5", "4294967295"), w.of("0", "100", "-1", "2147483647"), len(value), noreply, value)
	case 2:
		return fmt.Sprintf("cas %s 0 0 %d %s%s\r\n%s\r\n", w.key(), len(value), w.of("CAS", "1"), noreply, value)
	case 3:
		return fmt.Sprintf("%s %s %s\r\n", w.of("get", "gets"), w.key(), w.of("", w.key(), w.key()+" "+w.key()))
	case 4:
		return fmt.Sprintf("%s %s %s\r\n", w.of("gat", "gats"), w.exptime(), w.key())
	case 5:
		return fmt.Sprintf("%s %s %s%s\r\n", w.of("incr", "decr"), w.key(), w.number(), noreply)
	case 6:
		return fmt.Sprintf("touch %s %s%s\r\n", w.key(), w.exptime(), noreply)
	case 7:
		return fmt.Sprintf("delete %s%s%s\r\n", w.key(), w.of("", "", " 0", " 1"), noreply)
	case 8, 9:
		return fmt.Sprintf("mg %s%s\r\n", w.key(), w.flags("v", "k", "f", "s", "t", "c", "h", "q", "u", "b", "Oabc", "N100", "T200", "R300", "R1", "Tx", "z", "P1", "Lx"))
	case 10:
		return fmt.Sprintf("ms %s %d%s\r\n%s\r\n", w.key(), len(value),
			w.flags("k", "c", "q", "Oabc", "F7", "T100", "T-1", "ME", "MA", "MP", "MR", "MS", "CCAS", "C1", "I", "b"), value)
	case 11:
		return fmt.Sprintf("md %s%s\r\n", w.key(), w.flags("k", "q", "Oabc", "CCAS", "C1", "I", "T100", "b"))
	case 12:
		return fmt.Sprintf("ma %s%s\r\n", w.key(), w.flags("k", "q", "Oabc", "CCAS", "C1", "N100", "J50", "D10", "MD", "MI", "M+", "M-", "v", "t", "c", "Dx"))
	}
	return w.of("flush_all\r\n", "verbosity 0\r\n", "nonsense\r\n", "get\r\n", "delete a b c d\r\n", " \r\n", "me none\r\n", "mg\r\n", "ma\r\n")
}

// flags picks a few, each once.
func (w walk) flags(from ...string) string {
	var line strings.Builder
	seen := map[byte]bool{}
	for range w.IntN(5) {
		flag := w.of(from...)
		if !seen[flag[0]] {
			seen[flag[0]] = true
			line.WriteString(" " + flag)
		}
	}
	return line.String()
}

package command

import (
	"bytes"
	"strconv"
)

// counted finds keys whose number is argument at; they follow it. extra is the
// position of one more key, or 0.
func counted(name string, at, extra int) func([][]byte) (Keys, error) {
	return func(args [][]byte) (Keys, error) {
		if len(args) <= at {
			return Keys{}, Arity(name)
		}
		n, err := strconv.Atoi(string(args[at]))
		switch {
		case err != nil || n < 0:
			return Keys{}, errNumkeys
		case n > len(args)-at-1:
			return Keys{}, Error("ERR Number of keys can't be greater than number of args")
		case n == 0:
			return Keys{}, errNoKeys
		}
		return Keys{First: at + 1, Last: at + n, Step: 1, Extra: extra}, nil
	}
}

// streams finds the keys of XREAD and XREADGROUP: the first half of what follows
// the word STREAMS.
func streams(name string) func([][]byte) (Keys, error) {
	return func(args [][]byte) (Keys, error) {
		for i := 1; i < len(args); i++ {
			switch {
			case is(args[i], "BLOCK"):
				return Keys{}, errBlocking
			case is(args[i], "GROUP"):
				i += 2
			case is(args[i], "COUNT"):
				i++
			case is(args[i], "STREAMS"):
				n := len(args) - i - 1
				if n == 0 || n%2 != 0 {
					return Keys{}, errStreams
				}
				return Keys{First: i + 1, Last: i + n/2, Step: 1}, nil
			}
		}
		return Keys{}, Arity(name)
	}
}

// stored finds the key of argument 1 and the one after the word STORE or
// STOREDIST.
func stored(name string) func([][]byte) (Keys, error) {
	return func(args [][]byte) (Keys, error) {
		if len(args) < 2 {
			return Keys{}, Arity(name)
		}
		keys := Keys{First: 1, Last: 1, Step: 1}
		for i := 2; i < len(args)-1; i++ {
			if is(args[i], "STORE") || is(args[i], "STOREDIST") {
				keys.Extra = i + 1
			}
		}
		return keys, nil
	}
}

// sorted is stored for SORT, whose patterns BY weight_* and GET object_* name
// further keys, anywhere.
func sorted(name string) func([][]byte) (Keys, error) {
	find := stored(name)
	return func(args [][]byte) (Keys, error) {
		keys, err := find(args)
		for i := 2; i < len(args)-1 && err == nil; i++ {
			if (is(args[i], "BY") || is(args[i], "GET")) && bytes.IndexByte(args[i+1], '*') >= 0 {
				err = errPatterns
			}
		}
		return keys, err
	}
}

// sub finds the key of argument 2 of a command with one of the subcommands.
func sub(name string, subcommands ...string) func([][]byte) (Keys, error) {
	return func(args [][]byte) (Keys, error) {
		if len(args) < 2 {
			return Keys{}, Arity(name)
		}
		for _, s := range subcommands {
			if !is(args[1], s) {
				continue
			}
			if len(args) < 3 {
				return Keys{}, Arity(name + "|" + s)
			}
			return Keys{First: 2, Last: 2, Step: 1}, nil
		}
		return Keys{}, Error("ERR " + name + " is supported with " + list(subcommands) + " only")
	}
}

// is compares an argument with a word in capitals.
func is(arg []byte, word string) bool {
	return len(arg) == len(word) && bytes.EqualFold(arg, []byte(word))
}

func list(words []string) string {
	var b bytes.Buffer
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	return b.String()
}

package wire

import (
	"bytes"
	"encoding/base64"
)

// parse takes a line apart, and changes nothing in it. size is the length of the
// data block after it, or -1.
func (c *Commands) parse(line []byte) (cmd Command, size int, err error) {
	text := line[:len(line)-1]
	if n := len(text) - 1; n >= 0 && text[n] == '\r' {
		text = text[:n]
	}
	words := c.split(text)
	if len(words) == 0 {
		return refused(unknown), -1, nil
	}
	cmd = Command{Name: words[0], Line: line}
	size = -1
	switch name := string(words[0]); name {
	case "get", "gets":
		cmd.retrieve(words, 1)
	case "gat", "gats":
		cmd.retrieve(words, 2)
	case "set", "add", "replace", "append", "prepend":
		size, err = cmd.store(words, 5, c.limits.Data)
	case "cas":
		size, err = cmd.store(words, 6, c.limits.Data)
	case "mg", "md", "ma", "me":
		c.meta(&cmd, words)
	case "ms":
		size, err = c.metaStore(&cmd, words)
	case "delete":
		cmd.remove(words)
	case "incr", "decr", "touch":
		cmd.change(name, words)
	default:
		cmd.rest(name, words)
	}
	if cmd.Verb != Refused && hasControl(text) {
		cmd = refused(badFormat)
	}
	return cmd, size, err
}

func refused(text string) Command { return Command{Verb: Refused, Refusal: text} }

// refuse makes a command one that is refused; a wish for silence stays.
func (c *Command) refuse(text string) { *c = Command{Verb: Refused, Refusal: text, Quiet: c.Quiet} }

// hasControl tells whether there is a control character: memcached allows none
// in keys, and stops reading a line at a zero byte.
func hasControl(text []byte) bool {
	for _, b := range text {
		if b < ' ' || b == 0x7f {
			return true
		}
	}
	return false
}

// retrieve is get <key>+, or gat <exptime> <key>+ where the keys are the words
// from 2 on.
func (c *Command) retrieve(words [][]byte, from int) {
	switch {
	case len(words) <= from:
		c.refuse(unknown)
		return
	case from == 2 && !isInt(words[1], 32):
		c.refuse(badExptime)
		return
	}
	c.Verb, c.Keys = Retrieve, words[from:]
	for _, key := range c.Keys {
		if len(key) > maxKey {
			c.refuse(badFormat)
			return
		}
	}
	first := cap(c.Line) - cap(c.Keys[0]) // where the first key is in the line: both reach to the end of the buffer
	c.Head, c.Key = c.Line[:first:first], c.Keys[0]
}

// store is set <key> <flags> <exptime> <bytes> [noreply], or cas with a number
// more.
func (c *Command) store(words [][]byte, want, limit int) (size int, err error) {
	if len(words) != want && len(words) != want+1 {
		c.refuse(unknown)
		return -1, nil
	}
	size, ok := length(words[4])
	if !ok {
		return -1, &Flaw{badLength}
	}
	c.Quiet = last(words, want) == "noreply"
	c.Verb, c.Key, c.Args = Store, words[1], words[2:want]
	switch {
	case len(c.Key) > maxKey, !isUint(words[2], 32), !isInt(words[3], 32), want == 6 && !isUint(words[5], 64):
		c.refuse(badFormat)
	case size > limit:
		c.refuse(tooLarge)
		c.Key = words[1]
	}
	return size, nil
}

// last is the word after the first n, or "".
func last(words [][]byte, n int) string {
	if len(words) <= n {
		return ""
	}
	return string(words[n])
}

// remove is delete <key> [noreply]; an old form has a 0 after the key.
func (c *Command) remove(words [][]byte) {
	if len(words) < 2 || len(words) > 4 {
		c.refuse(unknown)
		return
	}
	rest := words[2:]
	c.Quiet = len(rest) > 0 && string(rest[len(rest)-1]) == "noreply"
	if c.Quiet {
		rest = rest[:len(rest)-1]
	}
	c.Verb, c.Key = Change, words[1]
	switch {
	case len(rest) > 1, len(rest) == 1 && string(rest[0]) != "0":
		c.refuse(badFormat + ".  Usage: delete <key> [noreply]")
	case len(c.Key) > maxKey:
		c.refuse(badFormat)
	}
}

// change is incr <key> <delta>, decr <key> <delta> or touch <key> <exptime>, each
// with noreply or not.
func (c *Command) change(name string, words [][]byte) {
	if len(words) != 3 && len(words) != 4 {
		c.refuse(unknown)
		return
	}
	c.Quiet = last(words, 3) == "noreply"
	c.Verb, c.Key = Change, words[1]
	switch {
	case len(c.Key) > maxKey:
		c.refuse(badFormat)
	case name == "touch" && !isInt(words[2], 32):
		c.refuse(badExptime)
	case name != "touch" && !isUint(words[2], 64):
		c.refuse(badDelta)
	}
}

// rest are the commands that no single server answers.
func (c *Command) rest(name string, words [][]byte) {
	silent := string(words[len(words)-1]) == "noreply"
	switch {
	case name == "mn":
		c.Verb = MetaNoop
	case name == "version":
		c.Verb = Version
	case name == "stats":
		c.Verb, c.Args = Stats, words[1:]
	case name == "quit":
		c.Verb = Quit
	case name == "verbosity" && (len(words) == 2 || len(words) == 3):
		c.Verb, c.Quiet = Verbosity, silent
		if !isUint(words[1], 32) {
			c.refuse(badFormat)
		}
	case name == "flush_all" && len(words) < 4:
		c.flushAll(words[1:], silent)
	case bytes.HasPrefix(words[len(words)-1], []byte("HTTP/")):
		c.Verb = Quit // a browser was made to talk to us: what it says may be anything
	default:
		c.refuse(unknown)
	}
}

func (c *Command) flushAll(args [][]byte, silent bool) {
	c.Verb, c.Quiet = FlushAll, silent
	if silent {
		args = args[:len(args)-1]
	}
	if c.Args = args; len(args) > 0 && !isInt(args[0], 32) {
		c.refuse(badExptime)
	}
}

// maxFlags is how many flags a meta command may have, in memcached too.
const maxFlags = 17

// meta is mg, md, ma or me <key> <flags>*.
func (c *Commands) meta(cmd *Command, words [][]byte) {
	if len(words) < 2 {
		if words[0][1] == 'e' {
			cmd.refuse(badFormat)
			return
		}
		cmd.refuse(unknown)
		return
	}
	switch words[0][1] {
	case 'g':
		cmd.Verb = MetaGet
	case 'd':
		cmd.Verb = MetaDelete
	case 'a':
		cmd.Verb = MetaArithmetic
	case 'e':
		cmd.Verb = MetaDebug
	}
	c.flags(cmd, words[1], words[2:])
}

// metaStore is ms <key> <bytes> <flags>*.
func (c *Commands) metaStore(cmd *Command, words [][]byte) (size int, err error) {
	if len(words) < 3 {
		cmd.refuse(unknown)
		if len(words) == 2 {
			cmd.refuse(badFormat)
		}
		return -1, nil
	}
	size, ok := length(words[2])
	if !ok {
		return -1, &Flaw{badLength}
	}
	cmd.Verb, cmd.Size = MetaStore, words[2]
	c.flags(cmd, words[1], words[3:])
	if cmd.Verb != Refused && size > c.limits.Data {
		key := cmd.Key
		cmd.refuse(tooLarge)
		cmd.Key, cmd.Quiet = key, false
	}
	return size, nil
}

// flags reads the key and the flags of a meta command. What they mean is the
// server's business, but for those that say what the key is and what the client
// does not want to hear.
func (c *Commands) flags(cmd *Command, key []byte, words [][]byte) {
	if len(key) > maxKey {
		cmd.refuse(badFormat)
		return
	}
	if len(words) > maxFlags {
		cmd.refuse("CLIENT_ERROR options flags too long")
		return
	}
	for _, word := range words {
		cmd.Flags = cmd.Flags.with(word[0])
	}
	cmd.Key, cmd.Word, cmd.Args, cmd.Quiet = key, key, words, cmd.Flags.Has("q")
	if !cmd.Flags.Has("b") {
		return
	}
	decoded, err := base64.StdEncoding.AppendDecode(c.key[:0], key)
	if err != nil || len(decoded) == 0 {
		cmd.undecodable()
		return
	}
	c.key, cmd.Key = decoded, decoded
}

// undecodable refuses a key that is no base64, in the words that memcached has
// for each command.
func (c *Command) undecodable() {
	text := "CLIENT_ERROR error decoding key"
	switch c.Verb {
	case MetaDelete, MetaArithmetic:
		text = "CLIENT_ERROR invalid or duplicate flag"
	case MetaDebug:
		text = badFormat
	}
	*c = refused(text)
}

// unmute takes the wish for silence out of the line.
func (c *Command) unmute() {
	switch c.Verb {
	case Store, Change:
		cut := bytes.LastIndex(c.Line, []byte(" noreply"))
		for c.Line[cut-1] == ' ' {
			cut--
		}
		c.Line = append(c.Line[:cut], '\r', '\n')
	case MetaGet, MetaStore, MetaDelete, MetaArithmetic, MetaDebug:
		kept := c.Args[:0]
		for _, word := range c.Args {
			if word[0] != 'q' {
				kept = append(kept, word)
				continue
			}
			for i := range word {
				word[i] = ' '
			}
		}
		c.Args = kept
	}
}
